// Package value holds the values of job inputs, as JSON has them.
package value

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
)

type Kind string

const (
	NullKind   Kind = "null"
	StringKind Kind = "string"
	NumberKind Kind = "number"
	BoolKind   Kind = "boolean"
	ArrayKind  Kind = "array"
	ObjectKind Kind = "object"
)

var (
	ErrAttributeNotFound = errors.New("no such attribute")
	ErrInvalidKey        = errors.New("no such key")
)

type Value struct {
	held  any
	marks uint16
}

// Mapper is what an object's attributes are asked of.
type Mapper interface {
	All() iter.Seq2[Value, Value]
	Attr(name string) (Value, error)
	Get(key Value) (Value, error)
	Keys() iter.Seq[Value]
	Len() int
	Values() iter.Seq[Value]
	WithMarks(marks uint16) Mapper
}

func Null() Value { return Value{} }

func String(text string) Value { return Value{held: text} }

func Object(mapper Mapper) Value { return Value{held: mapper} }

func (v Value) Kind() Kind {
	switch v.held.(type) {
	case nil:
		return NullKind
	case string:
		return StringKind
	case float64:
		return NumberKind
	case bool:
		return BoolKind
	case []any:
		return ArrayKind
	default:
		return ObjectKind
	}
}

func (v Value) String() string {
	if text, ok := v.held.(string); ok {
		return text
	}
	return fmt.Sprint(v.held)
}

func (v Value) WithMarks(marks uint16) Value { return Value{v.held, v.marks | marks} }

func (v Value) HasMarks(marks uint16) bool { return v.marks&marks == marks }

func (v *Value) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &v.held) }

func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(v.held) }
