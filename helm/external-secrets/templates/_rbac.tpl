{{/*
Role or ClusterRole and their namespace: with scopedRBAC all rights are those of one namespace.
*/}}
{{- define "external-secrets.roleKind" -}}
{{- ternary "Role" "ClusterRole" .Values.scopedRBAC }}
{{- end }}

{{- define "external-secrets.roleNamespace" -}}
{{- if .Values.scopedRBAC -}}
namespace: {{ include "external-secrets.scope" . }}
{{- end }}
{{- end }}

{{/* The controller's rights: files/rules.yaml without what the values switch off. */}}
{{- define "external-secrets.controllerRules" -}}
{{- $off := list }}
{{- if .Values.scopedRBAC }}
{{- /* Of the cluster: a Role cannot give them, and the controller does not ask for them. */}}
{{- $off = append $off "namespaces" }}
{{- end }}
{{- if not (and .Values.rbac.serviceAccountTokenCreate (empty .Values.rbac.serviceAccountTokenRequests)) }}
{{- $off = append $off "serviceaccounts/token" }}
{{- end }}
{{- range $kind := include "external-secrets.disabledKinds" . | fromJsonArray }}
{{- $off = concat $off (list $kind (printf "%s/status" $kind) (printf "%s/finalizers" $kind)) }}
{{- end }}
{{- range .Files.Get "files/rules.yaml" | fromYamlArray }}
{{- $wanted := list }}
{{- $makes := has "create" .verbs }}
{{- range .resources }}
{{- /* ExternalSecrets and PushSecrets are made for ClusterExternalSecrets and ClusterPushSecrets alone. */}}
{{- if not (or (has . $off) (and $makes (has (printf "cluster%s" .) $off)) (and (hasSuffix "/finalizers" .) (not $.Values.openshiftFinalizers))) }}
{{- $wanted = append $wanted . }}
{{- end }}
{{- end }}
{{- if $wanted }}
{{ list (set . "resources" $wanted) | toYaml }}
{{- end }}
{{- end }}
{{- with .Values.genericTargets }}
{{- if .enabled }}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create, update, delete]
{{- range .resources }}
{{- $verbs := default (list "get" "list" "watch" "create" "update" "delete") .verbs }}
{{ list (dict "apiGroups" (default (list .apiGroup) .apiGroups) "resources" .resources "verbs" $verbs) | toYaml }}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.metrics.listen.auth.enabled }}
{{- if not .Values.scopedRBAC }}
{{ include "external-secrets.tokenReviewRules" . }}
{{- end }}
{{- end }}
{{- end }}

{{/* Our kinds that the controller is told to leave alone, as JSON. */}}
{{- define "external-secrets.disabledKinds" -}}
{{- $disabled := list }}
{{- range $kind, $enabled := dict
  "secretstores" .Values.processSecretStore
  "clustersecretstores" (and .Values.processClusterStore (not .Values.scopedRBAC))
  "clustergenerators" (and .Values.processClusterGenerator (not .Values.scopedRBAC))
  "clusterexternalsecrets" (and .Values.processClusterExternalSecret (not (or .Values.scopedRBAC .Values.scopedNamespace)))
  "pushsecrets" .Values.processPushSecret
  "clusterpushsecrets" (and .Values.processClusterPushSecret (not (or .Values.scopedRBAC .Values.scopedNamespace)))
}}
{{- if not $enabled }}
{{- $disabled = append $disabled $kind }}
{{- end }}
{{- end }}
{{- toJson $disabled }}
{{- end }}

{{/* The kinds of one group that the controller works on, as JSON: those of which this chart has the CRD. */}}
{{- define "external-secrets.enabledKinds" -}}
{{- $root := index . 0 }}
{{- $prefix := printf "%s_" (index . 1) }}
{{- $disabled := include "external-secrets.disabledKinds" $root | fromJsonArray }}
{{- $enabled := list }}
{{- range $path, $_ := $root.Files.Glob (printf "files/crds/%s*.yaml" $prefix) }}
{{- $kind := base $path | trimPrefix $prefix | trimSuffix ".yaml" }}
{{- if not (has $kind $disabled) }}
{{- $enabled = append $enabled $kind }}
{{- end }}
{{- end }}
{{- toJson $enabled }}
{{- end }}
