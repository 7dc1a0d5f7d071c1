// What Argo CD and Flux make of objects. Reads {"argocd": data of argocd-cm, "flux": health checks, "objects": [...]} and prints for each object
// its health for both, and the annotation that Argo CD's action leaves.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

type input struct {
	ArgoCD  map[string]string             `json:"argocd"`
	Flux    []kustomize.CustomHealthCheck `json:"flux"`
	Objects []json.RawMessage             `json:"objects"`
}

type output struct {
	ArgoCD    string `json:"argocd"`
	Message   string `json:"message"`
	Flux      string `json:"flux"`
	Refreshed string `json:"refreshed,omitempty"`
}

func main() {
	var in input
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		fail(err)
	}
	results := make([]output, 0, len(in.Objects))
	for _, raw := range in.Objects {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(raw); err != nil {
			fail(err)
		}
		results = append(results, health(in, object))
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		fail(err)
	}
}

func health(in input, object *unstructured.Unstructured) output {
	group, kind := object.GroupVersionKind().Group, object.GetKind()
	script := in.ArgoCD["resource.customizations.health."+group+"_"+kind]
	result := run(script, object)
	out := output{ArgoCD: text(result, "status"), Message: text(result, "message"), Flux: flux(in.Flux, object)}
	if action := in.ArgoCD["resource.customizations.actions."+group+"_"+kind]; action != "" {
		out.Refreshed = refreshed(action, object)
	}
	return out
}

func flux(checks []kustomize.CustomHealthCheck, object *unstructured.Unstructured) string {
	for _, check := range checks {
		if check.APIVersion == object.GetAPIVersion() && check.Kind == object.GetKind() {
			evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
			if err != nil {
				fail(err)
			}
			result, err := evaluator.Evaluate(context.Background(), object)
			if err != nil {
				return "error: " + err.Error()
			}
			return string(result.Status)
		}
	}
	return "no check"
}

func refreshed(customization string, object *unstructured.Unstructured) string {
	var actions struct {
		Discovery   string `json:"discovery.lua"`
		Definitions []struct {
			Name string `json:"name"`
			Lua  string `json:"action.lua"`
		} `json:"definitions"`
	}
	if err := yaml.Unmarshal([]byte(customization), &actions); err != nil {
		fail(err)
	}
	if _, found := run(actions.Discovery, object).RawGetString("refresh").(*lua.LTable); !found {
		return ""
	}
	metadata := run(actions.Definitions[0].Lua, object).RawGetString("metadata").(*lua.LTable)
	return metadata.RawGetString("annotations").(*lua.LTable).RawGetString("force-sync").String()
}

// run runs a script with what Argo CD gives one: the object, and the libraries that do no harm.
func run(script string, object *unstructured.Unstructured) *lua.LTable {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
		lua.StringLibName: lua.OpenString, lua.OsLibName: lua.OpenOs,
	} {
		state.Push(state.NewFunction(open))
		state.Push(lua.LString(name))
		state.Call(1, 0)
	}
	state.SetGlobal("obj", value(state, object.Object))
	if err := state.DoString(script); err != nil {
		fail(err)
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		fail(fmt.Errorf("the script returns no table"))
	}
	return table
}

func text(table *lua.LTable, key string) string {
	return lua.LVAsString(table.RawGetString(key))
}

func value(state *lua.LState, of any) lua.LValue {
	switch of := of.(type) {
	case bool:
		return lua.LBool(of)
	case string:
		return lua.LString(of)
	case int64:
		return lua.LNumber(of)
	case float64:
		return lua.LNumber(of)
	case []any:
		table := state.NewTable()
		for _, item := range of {
			table.Append(value(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range of {
			table.RawSetString(key, value(state, item))
		}
		return table
	}
	return lua.LNil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
