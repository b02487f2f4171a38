// Package cron would tell when idle pods are to be kept ready; here no such policy can be set up.
package cron

import (
	"errors"
	"time"
)

type Schedule struct{}

func Parse(string, string) (Schedule, error) {
	return Schedule{}, errors.New("autoscaling policies: taskscaler is stood in for in this build")
}

func (Schedule) Contains(time.Time) bool { return false }
