package machine

import (
	"context"
	"errors"
)

func BuildImage(ctx context.Context, verbose bool) (string, error) { return "", errors.New("todo") }
