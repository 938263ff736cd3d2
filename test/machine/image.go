package machine

import (
	"context"
	"errors"
	"testing"
)

func BuildImage(ctx context.Context, verbose bool) (string, error) { return "", errors.New("todo") }

func StartVM(t testing.TB, o Options) *Machine { return nil }
