// Package snowplow would send usage to GitLab's billing; here it cannot be set up.
package snowplow

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"gitlab.com/gitlab-org/labkit/v2/events/snowplow/metrics"
	"gitlab.com/gitlab-org/labkit/v2/events/snowplow/oidc"
)

var errStoodIn = errors.New("billing events: labkit is stood in for in this build")

type (
	Emitter       struct{}
	Tracker       struct{}
	EmitterOption func(*Emitter)
	SendCallback  func(successes, failures []SendResult)

	SendResult struct {
		EventCount int
		StatusCode int
		Err        error
	}

	BillingEventRequiredInput struct {
		Category, EventType, Realm, UnitOfMeasure string
		Quantity                                  float64
	}

	BillingEventOptionalInput struct {
		Subject, DeploymentType, InstanceID, UniqueInstanceID   string
		ProjectID, NamespaceID, RootNamespaceID, OrganizationID int64
		Metadata                                                map[string]any
	}
)

func NewEmitter(string, ...EmitterOption) (*Emitter, error) { return nil, errStoodIn }

func NewTracker(string, *Emitter) (*Tracker, error) { return nil, errStoodIn }

func WithCallback(SendCallback) EmitterOption { return func(*Emitter) {} }

func WithTokenSource(*oidc.Source) EmitterOption { return func(*Emitter) {} }

func WithMetricsCollectorOptions(...metrics.CollectorOption) EmitterOption { return func(*Emitter) {} }

func (*Emitter) Collector() prometheus.Collector {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: "stood_in"})
}

func (*Tracker) TrackBillingEventWithOptionalInput(BillingEventRequiredInput, BillingEventOptionalInput) error {
	return errStoodIn
}

func (*Tracker) Stop() {}
