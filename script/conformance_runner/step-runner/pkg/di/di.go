// Package di would put together the process that carries out steps; here it refuses to.
package di

import (
	"errors"
	"log/slog"

	"gitlab.com/gitlab-org/step-runner/pkg/runner"
	"gitlab.com/gitlab-org/step-runner/proto"
)

type Container struct{}

func NewContainer(...func(*Container)) *Container { return &Container{} }

func WithBuiltinFunc(string, runner.BuiltinFunction) func(*Container) { return func(*Container) {} }

func WithOperatorLogger(*slog.Logger) func(*Container) { return func(*Container) {} }

func (*Container) StepRunnerService() (proto.StepRunnerServer, error) {
	return nil, errors.New("steps (`run:`): step-runner is stood in for in this build")
}
