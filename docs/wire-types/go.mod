module wire

go 1.25

require k8s.io/api v0.36.3
