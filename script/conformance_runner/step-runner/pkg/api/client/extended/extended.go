// Package extended would send steps to be carried out; here nothing does that.
package extended

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"

	"gitlab.com/gitlab-org/step-runner/pkg/api/client"
)

type (
	Dialer interface {
		Dial() (*grpc.ClientConn, error)
	}
	FollowOutput struct{ Logs io.Writer }
	Client       struct{}
)

var errStoodIn = errors.New("steps (`run:`): step-runner is stood in for in this build")

func New(Dialer) (*Client, error) { return nil, errStoodIn }

func (*Client) Cancel(context.Context, string) error { return errStoodIn }

func (*Client) CloseConn() error { return nil }

func (*Client) RunAndFollow(context.Context, *client.RunRequest, *FollowOutput) (client.Status, error) {
	return client.Status{}, errStoodIn
}
