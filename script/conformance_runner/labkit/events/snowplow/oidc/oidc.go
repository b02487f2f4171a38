// Package oidc holds the options of the tokens sent with billing events.
package oidc

type (
	Option func()
	Source struct{}
)

func NewSource(...Option) *Source { return &Source{} }

func WithSkipIfUnsupportedCloud(bool) Option { return func() {} }
