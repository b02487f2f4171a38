// Package api tells where the process that carries out steps listens.
package api

import (
	"net"
	"os"
	"path/filepath"
)

func DefaultSocketPath() string { return filepath.Join(os.TempDir(), "step-runner.sock") }

func SocketAddr(path string) *net.UnixAddr { return &net.UnixAddr{Name: path, Net: "unix"} }
