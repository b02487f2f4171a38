// Package moa would evaluate the expressions of job inputs; here only text without any is taken.
package moa

import (
	"errors"
	"strings"

	"gitlab.com/gitlab-org/moa/ast"
)

// ParseTemplate refuses a text with an expression.
func ParseTemplate(text string) (ast.Expr, error) {
	if strings.Contains(text, "${{") {
		return nil, errors.New("expressions in a job: moa is stood in for in this build")
	}
	return ast.Text(text), nil
}

// EscapeTemplate is for texts that hold no expression, and so have nothing to be escaped.
func EscapeTemplate(text string) string { return text }
