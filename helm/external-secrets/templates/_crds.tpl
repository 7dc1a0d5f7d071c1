{{/*
A CRD from files/crds, which are those of crds/ in the sources, adapted to the values. Of (list scope file).
*/}}
{{- define "external-secrets.crd" -}}
{{- $root := index . 0 }}
{{- $values := $root.Values }}
{{- with $root.Files.Get (printf "files/crds/%s" (index . 1)) | fromYaml }}
{{- $annotations := dict }}
{{- if $values.crds.keep }}
{{- $_ := set $annotations "helm.sh/resource-policy" "keep" }}
{{- end }}
{{- $certManager := $values.webhook.certManager }}
{{- if and $values.crds.conversion.enabled $certManager.enabled $certManager.addInjectorAnnotations }}
{{- $secret := include "external-secrets-webhook.secretName" $root }}
{{- $_ := set $annotations "cert-manager.io/inject-ca-from" (printf "%s/%s" (include "external-secrets.namespace" $root) $secret) }}
{{- end }}
{{- $annotations = mergeOverwrite $annotations $values.crds.annotations }}
{{- if $annotations }}
{{- $_ := set .metadata "annotations" $annotations }}
{{- end }}
{{- $_ := unset .spec "conversion" }}
{{- range .spec.versions }}
{{- if eq .name "v1beta1" }}
{{- $_ := set . "served" $values.crds.unsafeServeV1Beta1 }}
{{- end }}
{{- end }}
{{- toYaml . }}
{{- end }}
{{- end }}
