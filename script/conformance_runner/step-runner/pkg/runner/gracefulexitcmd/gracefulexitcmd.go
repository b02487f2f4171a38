// Package gracefulexitcmd makes commands that are asked to end before they are killed.
package gracefulexitcmd

import (
	"context"
	"os/exec"
	"syscall"
	"time"
)

func New(ctx context.Context, delay time.Duration, name string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = delay
	return command
}
