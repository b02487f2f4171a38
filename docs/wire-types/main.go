// Prints, as JSON, how the Kubernetes types that the embedded cluster serves look on the wire: for each
// struct, in order, its fields' JSON name, protobuf number, type, and whether zero is left out or a pointer
// keeps it. The result is src/shipline/cluster/api/data/wire.json.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"

	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	autoscaling "k8s.io/api/autoscaling/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	events "k8s.io/api/events/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type field [4]any

var types = map[string][]field{}

func name(t reflect.Type) string {
	path := strings.ReplaceAll(t.PkgPath(), "k8s.io/", "io.k8s.")
	return strings.ReplaceAll(path, "/", ".") + "." + t.Name()
}

func describe(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return describe(t.Elem())
	case reflect.Struct:
		visit(t)
		return "#" + name(t)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		if t.Name() != "" && t.PkgPath() != "" {
			return "@" + describe(t.Elem())
		}
		return "[" + describe(t.Elem())
	case reflect.Map:
		return "{" + describe(t.Elem())
	case reflect.Int32, reflect.Int64, reflect.Int:
		return "int"
	default:
		return t.Kind().String()
	}
}

func visit(t reflect.Type) {
	if _, seen := types[name(t)]; seen {
		return
	}
	types[name(t)] = nil
	switch t.Name() {
	case "Quantity", "IntOrString", "Time", "MicroTime", "FieldsV1", "RawExtension", "Duration":
		return
	}
	fields := []field{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag := strings.Split(f.Tag.Get("json"), ",")
		if f.Name == "TypeMeta" {
			fields = append(fields, field{"kind", 0, "string", "o"}, field{"apiVersion", 0, "string", "o"})
			continue
		}
		number := 0
		if parts := strings.Split(f.Tag.Get("protobuf"), ","); len(parts) > 1 {
			number, _ = strconv.Atoi(parts[1])
		}
		if tag[0] == "-" {
			continue
		}
		flags := ""
		for _, option := range tag[1:] {
			if option == "omitzero" {
				flags += "z"
			}
			if option == "omitempty" {
				flags += "o"
			}
		}
		if f.Type.Kind() == reflect.Pointer {
			flags += "p"
		}
		fields = append(fields, field{tag[0], number, describe(f.Type), flags})
	}
	types[name(t)] = fields
}

func main() {
	for _, object := range []any{
		core.Binding{}, core.ConfigMap{}, core.Endpoints{}, core.Event{}, core.Namespace{}, core.Node{}, core.Pod{},
		core.Secret{}, core.ServiceAccount{}, core.Service{},
		apps.Deployment{}, apps.ReplicaSet{}, events.Event{}, authentication.SelfSubjectReview{},
		authentication.TokenReview{}, authentication.TokenRequest{}, authorization.LocalSubjectAccessReview{},
		authorization.SelfSubjectAccessReview{}, authorization.SelfSubjectRulesReview{},
		authorization.SubjectAccessReview{}, coordination.Lease{}, rbac.ClusterRoleBinding{}, rbac.ClusterRole{},
		rbac.RoleBinding{}, rbac.Role{}, discovery.EndpointSlice{}, autoscaling.Scale{}, policy.Eviction{},
		meta.DeleteOptions{}, meta.Status{},
	} {
		describe(reflect.TypeOf(object))
	}
	out, err := json.Marshal(types)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(string(out))
}
