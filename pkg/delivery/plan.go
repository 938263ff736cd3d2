package delivery

import (
	"context"
	"net"
	"os"
	"time"

	"clauster/pkg/config"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// result is how one try ended: err is "" for success and clean otherwise.
type result struct {
	code int
	err  string
}

// line is the way to one target.
type line struct {
	send  func(ctx context.Context, due []store.Outgoing) result
	most  int           // how many deliveries one try may carry
	pause time.Duration // between two tries
	close func()        // where something is kept open
}

// plan is what a configuration means: the ways to its targets, and which
// events go there. It never changes; a reload makes another.
type plan struct {
	host     string
	webhooks config.Webhooks
	notes    config.Notifications
	order    []key // as configured
	lines    map[key]*line
	testers  map[key]*notifier
}

// Bounds of merged notifications: one message at once, then one in 30 s, of at
// most this many events.
const (
	mergePause = 30 * time.Second
	mergeMost  = 500
)

func (c *Courier) newPlan(cfg *config.Config) *plan {
	p := &plan{host: cfg.InstanceName, webhooks: cfg.Webhooks, notes: cfg.Notifications, lines: map[key]*line{}, testers: map[key]*notifier{}}
	if p.host == "" {
		p.host, _ = os.Hostname()
	}
	if cfg.Webhooks.Enabled {
		var g *guard
		if cfg.Webhooks.BlockPrivateTargets {
			g = newGuard(c.resolver())
		}
		for _, raw := range cfg.Webhooks.URLs {
			post := newPoster(raw, cfg.Webhooks.Secret, c.options.Version, cfg.Webhooks.Timeout(), g)
			p.add(key{Webhook, targetName(raw)}, &line{most: 1, close: post.close,
				send: func(ctx context.Context, due []store.Outgoing) result { return post.send(ctx, due[0]) }})
		}
	}
	if cfg.Notifications.Enabled {
		for _, raw := range cfg.Notifications.URLs {
			service, broken := config.ServiceURL(raw)
			if broken != "" {
				continue // config.Load has refused it
			}
			k := key{Notification, targetName(raw)}
			n := newNotifier(raw, service, &c.calls)
			if c.options.deliver != nil {
				n.deliver = c.options.deliver
			}
			p.testers[k] = n
			p.add(k, &line{most: mergeMost, pause: mergePause, send: func(ctx context.Context, due []store.Outgoing) result {
				title, text := merge(due)
				return n.send(ctx, title, text)
			}})
		}
	}
	return p
}

func (p *plan) add(k key, l *line) {
	if p.lines[k] == nil { // the same URL twice is one target
		p.order = append(p.order, k)
	}
	p.lines[k] = l
}

func (c *Courier) resolver() Resolver {
	if c.options.Resolver != nil {
		return c.options.Resolver
	}
	return net.DefaultResolver
}

// bodies says what each channel sends for an event, "" where it does not.
func (p *plan) bodies(e wire.Event) (webhook, notification string, err error) {
	if p.webhooks.Enabled && p.webhooks.Events[e.Kind] {
		webhook, _ = webhookBody(e)
	}
	if notifies(p.notes, e) {
		notification, err = noteOf(p.host, e).encode()
	}
	return webhook, notification, err
}

// close lets go of what the ways keep open.
func (p *plan) close() {
	for _, l := range p.lines {
		if l.close != nil {
			l.close()
		}
	}
}
