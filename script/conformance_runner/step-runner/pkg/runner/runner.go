// Package runner says what a built-in step is.
package runner

import (
	"context"
	"io"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"gitlab.com/gitlab-org/step-runner/proto"
)

type Kind string

const (
	KindString Kind = "string"
	KindList   Kind = "list"
	KindBool   Kind = "bool"
)

type (
	BuiltinResult struct{}

	BuiltinFunction interface {
		Spec() *proto.Spec
		Run(context.Context, BuiltinContext) (BuiltinResult, error)
	}

	BuiltinContext interface {
		GetEnvList() []string
		GetEnvs() map[string]string
		GetInput(name string, kind Kind) (*structpb.Value, error)
		GetInputWithDefault(
			name string, kind Kind, inputs map[string]*proto.Spec_Content_Input,
		) (*structpb.Value, error)
		GetJobVars() map[string]*structpb.Value
		GracefulExitDelay() time.Duration
		ListenCancel(context.Context) (context.Context, context.CancelFunc)
		Pipe() (stdout, stderr io.Writer)
		WorkDir() string
	}
)
