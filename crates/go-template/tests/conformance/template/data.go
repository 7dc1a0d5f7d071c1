package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// decode reads data: JSON, in which numbers without a point are ints, and an object with one key
// that begins with a dollar sign is a value of another type.
func decode(raw json.RawMessage) (any, error) {
	if raw == nil {
		return map[string]string{}, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return typed(value)
}

func typed(value any) (any, error) {
	switch value := value.(type) {
	case json.Number:
		if number, err := strconv.Atoi(value.String()); err == nil {
			return number, nil
		}
		return value.Float64()
	case []any:
		for i, item := range value {
			var err error
			if value[i], err = typed(item); err != nil {
				return nil, err
			}
		}
		// How much room there is after a slice is not for a case to depend on.
		return slices.Clip(value), nil
	case map[string]any:
		for key, item := range value {
			if tag, ok := strings.CutPrefix(key, "$"); ok && len(value) == 1 {
				return tagged(tag, item)
			}
		}
		for key, item := range value {
			var err error
			if value[key], err = typed(item); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

func tagged(tag string, value any) (any, error) {
	number, _ := value.(json.Number)
	text, _ := value.(string)
	switch tag {
	case "int32":
		n, err := strconv.ParseInt(number.String(), 10, 32)
		return int32(n), err
	case "int64":
		return strconv.ParseInt(number.String(), 10, 64)
	case "uint8":
		n, err := strconv.ParseUint(number.String(), 10, 8)
		return uint8(n), err
	case "uint64":
		return strconv.ParseUint(number.String(), 10, 64)
	case "float":
		return strconv.ParseFloat(text, 64)
	case "bytes":
		return base64.StdEncoding.DecodeString(text)
	case "text":
		decoded, err := base64.StdEncoding.DecodeString(text)
		return string(decoded), err
	case "ints":
		items := []int{}
		for _, item := range value.([]any) {
			n, err := strconv.Atoi(item.(json.Number).String())
			if err != nil {
				return nil, err
			}
			items = append(items, n)
		}
		return slices.Clip(items), nil
	case "strings":
		if list, ok := value.([]any); ok {
			items := []string{}
			for _, item := range list {
				items = append(items, item.(string))
			}
			return slices.Clip(items), nil
		}
		entries := map[string]string{}
		for key, item := range value.(map[string]any) {
			entries[key] = item.(string)
		}
		return entries, nil
	}
	return nil, fmt.Errorf("no such type: $%s", tag)
}
