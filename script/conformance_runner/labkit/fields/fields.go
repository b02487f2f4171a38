// Package fields names the fields of the runner's own log.
package fields

const (
	HTTPStatusCode = "status"
	DurationS      = "duration_s"
)

// Rename tells the newer name of a field.
type Rename struct{ Standard string }

// Deprecated and VariantVersion are empty: every field keeps the name that the runner gives it.
var (
	Deprecated     = map[string]Rename{}
	VariantVersion = map[string]int{}
)
