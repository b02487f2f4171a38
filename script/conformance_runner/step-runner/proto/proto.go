// Package proto holds what built-in steps say of themselves.
package proto

import (
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"
)

type ValueType string

const (
	ValueType_string  ValueType = "string"
	ValueType_array   ValueType = "array"
	ValueType_boolean ValueType = "boolean"
)

type (
	Spec         struct{ Spec *Spec_Content }
	Spec_Content struct {
		Inputs map[string]*Spec_Content_Input
	}
	Spec_Content_Input struct {
		Type      ValueType
		Default   *structpb.Value
		Sensitive bool
	}
	// StepRunnerServer is what would carry out steps.
	StepRunnerServer interface{ stoodIn() }
)

func (s *Spec) GetSpec() *Spec_Content { return s.Spec }

func (c *Spec_Content) GetInputs() map[string]*Spec_Content_Input { return c.Inputs }

// RegisterStepRunnerServer adds nothing: no service is ever made here.
func RegisterStepRunnerServer(grpc.ServiceRegistrar, StepRunnerServer) {}
