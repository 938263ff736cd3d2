package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// vmPackages are what a VM needs beside rootPackages.
var vmPackages = [...]string{"linux-image-cloud-amd64", "initramfs-tools", "udev", "kmod"}

// imageSize is the size of a VM's disk; the file is sparse.
const imageSize = "3G"

// agentPath is where the agent lives in a VM.
const agentPath = "usr/local/lib/machine-agent"

// The initrd holds only what finds the disk and the agent's port: with
// MODULES=most, unpacking it is a third of the boot under TCG.
const initrdHook = `mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d" && ` +
	`printf 'MODULES=list\nCOMPRESS=gzip\n' > "$1/etc/initramfs-tools/conf.d/machine" && ` +
	`printf 'virtio_pci\nvirtio_blk\nvirtio_console\nvirtio_rng\next4\n' > "$1/usr/share/initramfs-tools/modules.d/machine"`

// BuildImage gives the directory of the cached VM image, building it when
// absent (about a minute): disk.img, vmlinuz and initrd.
func BuildImage(ctx context.Context, verbose bool) (string, error) {
	d, err := findDirs()
	if err != nil {
		return "", err
	}
	return d.buildImage(ctx, verbose)
}

func (d dirs) buildImage(ctx context.Context, verbose bool) (string, error) {
	root, err := d.buildVMRoot(ctx, verbose)
	if err != nil {
		return "", err
	}
	agent, err := d.buildAgent(ctx)
	if err != nil {
		return "", err
	}
	key := cacheKey(filepath.Base(root), string(agent), agentUnit, imageSize, strings.Join(slowUnits[:], ","))
	return d.cached(ctx, "image-"+key, func(ctx context.Context, tmp string) error {
		return makeImage(ctx, root, agent, tmp, verbose)
	})
}

// buildVMRoot gives a root with a kernel: the container's plus vmPackages.
func (d dirs) buildVMRoot(ctx context.Context, verbose bool) (string, error) {
	if os.Geteuid() != 0 {
		return "", errors.New("cannot build a machine: only root can; run this with sudo")
	}
	release, err := suite()
	if err != nil {
		return "", err
	}
	deb822, oneLine, err := aptSources("/etc/apt", release)
	if err != nil {
		return "", err
	}
	packages := append(append([]string{}, rootPackages[:]...), vmPackages[:]...)
	key := cacheKey(release, deb822, oneLine, strings.Join(packages, ","), initrdHook)
	return d.cached(ctx, "vmroot-"+key, func(ctx context.Context, tmp string) error {
		b := bootstrap{release: release, deb822: deb822, oneLine: oneLine, packages: packages, verbose: verbose,
			hooks: []string{"--essential-hook=" + initrdHook}}
		return b.run(ctx, d, tmp)
	})
}

// buildAgent compiles the agent; the result is the same bytes for the same
// source, so it can be part of the image's key.
func (d dirs) buildAgent(ctx context.Context) ([]byte, error) {
	repo, err := RepoRoot()
	if err != nil {
		return nil, err
	}
	out, err := os.CreateTemp(d.base, "agent-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w",
		"-o", out.Name(), "./test/machine/agent")
	cmd.Dir = repo
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot build the agent: %w\n%s", err, text)
	}
	return os.ReadFile(out.Name())
}

const agentUnit = `[Unit]
Description=Commands of the test bed
DefaultDependencies=no
After=systemd-remount-fs.service
[Service]
ExecStart=/` + agentPath + `
Restart=always
RestartSec=100ms
Delegate=yes
KillMode=process
LogRateLimitIntervalSec=0
[Install]
WantedBy=sysinit.target
`

// makeImage turns a root into a bootable disk in dir. The root is left as it
// is: the agent goes into a copy made of hard links.
func makeImage(ctx context.Context, root string, agent []byte, dir string, verbose bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tree := filepath.Join(dir, "tree")
	run := func(what string, args ...string) error {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		return runLogged(cmd, what, verbose)
	}
	if err := run("link root", "cp", "-al", root, tree); err != nil {
		return err
	}
	if err := furnishTree(tree, agent); err != nil {
		return err
	}
	kernel, err := kernelFiles(tree)
	if err != nil {
		return err
	}
	for i, name := range [...]string{"vmlinuz", "initrd"} {
		if err := run("copy "+name, "cp", kernel[i], filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	disk := filepath.Join(dir, "disk.img")
	if err := run("make disk", "mkfs.ext4", "-q", "-m", "0", "-L", "machine", "-E", "lazy_itable_init=0",
		"-d", tree, disk, imageSize); err != nil {
		return err
	}
	return os.RemoveAll(tree)
}

// slowUnits are masked in VMs: cold-plugging hardware that is not there and
// loading modules nobody asked for is half of a boot under TCG.
var slowUnits = [...]string{"systemd-udev-trigger.service", "e2scrub_reap.service", "systemd-modules-load.service",
	"modprobe@fuse.service", "modprobe@loop.service", "modprobe@dm_mod.service", "modprobe@drm.service", "modprobe@configfs.service"}

// furnishTree puts the agent and the files of every machine into a tree of
// hard links: each is removed first, or the write would go through to the root.
func furnishTree(tree string, agent []byte) error {
	skeleton := tree + ".skeleton"
	defer os.RemoveAll(skeleton)
	if err := writeSkeleton(skeleton, "machine"); err != nil {
		return err
	}
	put := func(path, mode string, data []byte) error {
		p := filepath.Join(skeleton, path)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(p, data, 0o644); err != nil {
			return err
		}
		return exec.Command("chmod", mode, p).Run()
	}
	err := errors.Join(
		put(agentPath, "755", agent),
		put(filepath.Join("etc/systemd/system", execUnit), "644", []byte(agentUnit)),
		// The console is for messages: a login there would only cost time.
		put("etc/systemd/system/serial-getty@.service", "644", []byte("[Unit]\nDescription=off\n[Service]\nType=oneshot\nExecStart=/bin/true\n")),
	)
	for _, unit := range slowUnits {
		err = errors.Join(err, os.Symlink("/dev/null", filepath.Join(skeleton, "etc/systemd/system", unit)))
	}
	if err != nil {
		return err
	}
	out, err := exec.Command("cp", "-a", "--remove-destination", skeleton+"/.", tree).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot furnish disk: %w\n%s", err, out)
	}
	return nil
}

// kernelFiles finds the kernel and the initrd of a tree.
func kernelFiles(tree string) ([2]string, error) {
	var found [2]string
	for i, pattern := range [...]string{"boot/vmlinuz-*", "boot/initrd.img-*"} {
		names, _ := filepath.Glob(filepath.Join(tree, pattern)) // the pattern is well-formed
		if len(names) == 0 {
			return found, fmt.Errorf("cannot find %s in the VM's root", pattern)
		}
		found[i] = names[len(names)-1]
	}
	return found, nil
}
