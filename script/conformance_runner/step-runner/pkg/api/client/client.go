// Package client holds the messages to the process that carries out steps.
package client

import "time"

type (
	State     string
	ErrorKind string

	Status struct {
		State     State
		ErrorKind ErrorKind
		Message   string
	}

	Variable struct {
		Key, Value   string
		File, Masked bool
	}

	RunRequest struct {
		Id, WorkDir, BuildDir, Steps string
		Timeout                      *time.Duration
		Env                          map[string]string
		Variables                    []Variable
	}
)

const (
	StateSuccess   State = "success"
	StateCancelled State = "cancelled"

	ErrorUnknown     ErrorKind = "unknown"
	ErrorInternal    ErrorKind = "internal"
	ErrorStepFailure ErrorKind = "step failure"
	ErrorCancelled   ErrorKind = "cancelled"
	ErrorTimeout     ErrorKind = "timeout"
)

func (s State) String() string { return string(s) }
