// Package metrics holds the options of the metrics on billing events.
package metrics

type CollectorOption func()

func WithCollectorNamespace(string) CollectorOption { return func() {} }

func WithCollectorBatchDeliveryDurationBuckets([]float64) CollectorOption { return func() {} }
