// Package ast holds the forms of a parsed text.
package ast

type Expr interface {
	Walk(Visitor) (Expr, error)
}

type Visitor interface {
	Enter(Expr) (Visitor, error)
	Exit(Expr) (Expr, error)
}

// Text has no expression in it.
type Text string

func (t Text) Walk(Visitor) (Expr, error) { return t, nil }

// Template is a text with expressions, of which none is ever made here.
type Template struct{}

func (t *Template) Walk(v Visitor) (Expr, error) {
	if _, err := v.Enter(t); err != nil {
		return nil, err
	}
	return v.Exit(t)
}
