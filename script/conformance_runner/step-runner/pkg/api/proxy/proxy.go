// Package proxy joins a pair of streams and a connection.
package proxy

import (
	"io"
	"net"
)

func Proxy(in io.Reader, out io.Writer, conn *net.UnixConn) error {
	go func() {
		_, _ = io.Copy(conn, in)
		_ = conn.CloseWrite()
	}()
	_, err := io.Copy(out, conn)
	return err
}
