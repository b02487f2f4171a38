// Package addmask masks phrases in streams, also those that a stream itself names after "::add-mask::".
package addmask

import (
	"bytes"
	"fmt"
	"io"
	"sort"
	"sync"
)

const (
	directive = "::add-mask::"
	mask      = "[MASKED]"
)

// Store keeps phrases between commands.
type Store interface {
	List() ([]string, error)
	Add(phrase string) error
}

// AddMask masks in each of its writers what any of them was told to.
type AddMask struct {
	mutex   sync.Mutex
	store   Store
	phrases []string
	streams []*stream
}

type stream struct {
	owner *AddMask
	to    io.Writer
	held  []byte
}

// New masks what the store knows already; Get gives the writers in their order.
func New(store Store, writers ...io.Writer) (*AddMask, error) {
	known, err := store.List()
	if err != nil {
		return nil, fmt.Errorf("the phrases to mask cannot be read: %w", err)
	}
	a := &AddMask{store: store}
	for _, phrase := range known {
		a.learn(phrase)
	}
	for _, writer := range writers {
		a.streams = append(a.streams, &stream{owner: a, to: writer})
	}
	return a, nil
}

// Get gives the masking writer of that index.
func (a *AddMask) Get(index int) io.Writer { return a.streams[index] }

// Close writes what is held back, masked.
func (a *AddMask) Close() error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for _, s := range a.streams {
		if err := s.flush(s.held); err != nil {
			return err
		}
		s.held = nil
	}
	return nil
}

func (a *AddMask) learn(phrase string) {
	if phrase == "" {
		return
	}
	a.phrases = append(a.phrases, phrase)
	sort.SliceStable(a.phrases, func(i, j int) bool { return len(a.phrases[i]) > len(a.phrases[j]) })
}

// Write masks whole lines; the last one is held until it ends, since a phrase may be cut in it.
func (s *stream) Write(p []byte) (int, error) {
	s.owner.mutex.Lock()
	defer s.owner.mutex.Unlock()
	s.held = append(s.held, p...)
	for {
		end := bytes.IndexByte(s.held, '\n')
		if end < 0 {
			return len(p), nil
		}
		line := s.held[:end+1]
		s.held = append([]byte(nil), s.held[end+1:]...)
		if at := bytes.Index(line, []byte(directive)); at >= 0 {
			phrase := string(bytes.TrimSpace(line[at+len(directive):]))
			if err := s.owner.store.Add(phrase); err != nil {
				return 0, err
			}
			s.owner.learn(phrase)
		}
		if err := s.flush(line); err != nil {
			return 0, err
		}
	}
}

func (s *stream) flush(text []byte) error {
	for _, phrase := range s.owner.phrases {
		text = bytes.ReplaceAll(text, []byte(phrase), []byte(mask))
	}
	_, err := s.to.Write(text)
	return err
}
