{{/*
What the three deployments have in common. Each definition takes a component:
  root    the scope of the chart
  values  the component's part of the values: .Values, .Values.webhook or .Values.certController
  name    what its label definitions begin with, such as external-secrets-webhook
*/}}

{{/* A setting of the component, else the global one. Of (list component key). */}}
{{- define "external-secrets.ownOrGlobal" -}}
{{- $component := index . 0 }}
{{- $key := index . 1 }}
{{- with default (get $component.root.Values.global $key) (get $component.values $key) }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/* The fields of a Deployment before its template. */}}
{{- define "external-secrets.deployment" -}}
replicas: {{ .values.replicaCount }}
revisionHistoryLimit: {{ .values.revisionHistoryLimit }}
selector:
  matchLabels:
    {{- include (printf "%s.selectorLabels" .name) .root | nindent 4 }}
{{- with .values.strategy }}
strategy:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "external-secrets.podMetadata" -}}
{{- with include "external-secrets.ownOrGlobal" (list . "podAnnotations") }}
annotations:
  {{- . | nindent 2 }}
{{- end }}
{{- $labels := include (printf "%s.labels" .name) .root | fromYaml }}
{{- $labels = include "external-secrets.ownOrGlobal" (list . "podLabels") | fromYaml | mergeOverwrite $labels }}
{{- if and (eq .name "external-secrets") .root.Values.azureWorkloadIdentity.use }}
{{- $_ := set $labels "azure.workload.identity/use" "true" }}
{{- end }}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- end }}

{{/* Whether a component calls the API server. The webhook does only to check who reads its metrics. */}}
{{- define "external-secrets.callsApiServer" -}}
{{- or (ne .name "external-secrets-webhook") .values.metrics.listen.auth.enabled (hasKey .values.extraArgs "metrics-auth") }}
{{- end }}

{{/* The fields of a pod's spec that stand before its containers. */}}
{{- define "external-secrets.pod" -}}
{{- with include "external-secrets.ownOrGlobal" (list . "imagePullSecrets") }}
imagePullSecrets:
  {{- . | nindent 2 }}
{{- end }}
serviceAccountName: {{ include (printf "%s.serviceAccountName" .name) .root }}
automountServiceAccountToken: {{ and .values.serviceAccount.automount (eq (include "external-secrets.callsApiServer" .) "true") }}
{{- if semverCompare ">= 1.33-0" .root.Capabilities.KubeVersion.Version }}
{{- if kindIs "bool" .values.hostUsers }}
hostUsers: {{ .values.hostUsers }}
{{- end }}
{{- end }}
{{- with include "external-secrets.securityContext" (list .root .values.podSecurityContext) }}
securityContext:
  {{- . | nindent 2 }}
{{- end }}
hostNetwork: {{ .values.hostNetwork }}
{{- with .values.extraInitContainers }}
initContainers:
  {{- tpl (toYaml .) $.root | nindent 2 }}
{{- end }}
{{- with include "external-secrets.ownOrGlobal" (list . "hostAliases") }}
hostAliases:
  {{- . | nindent 2 }}
{{- end }}
{{- include "external-secrets.scheduling" . }}
{{- end }}

{{/* Where a pod runs. */}}
{{- define "external-secrets.scheduling" -}}
{{- range $key := list "nodeSelector" "affinity" "tolerations" }}
{{- with include "external-secrets.ownOrGlobal" (list $ $key) }}
{{ $key }}:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}
{{- with default .root.Values.global.topologySpreadConstraints .values.topologySpreadConstraints }}
topologySpreadConstraints:
{{- range . }}
{{- $constraint := . }}
{{- if not (kindIs "map" .labelSelector) }}
{{- $selector := dict "matchLabels" (include (printf "%s.selectorLabels" $.name) $.root | fromYaml) }}
{{- $constraint = set (omit . "labelSelector") "labelSelector" $selector }}
{{- end }}
  - {{- toYaml $constraint | nindent 4 }}
{{- end }}
{{- end }}
{{- range $key := list "priorityClassName" "schedulerName" "runtimeClassName" }}
{{- with get $.values $key }}
{{ $key }}: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/*
A security context without our own switch `enabled`, and on OpenShift without what OpenShift sets by itself. Of (list scope context).
*/}}
{{- define "external-secrets.securityContext" -}}
{{- $root := index . 0 }}
{{- $context := default (dict) (index . 1) }}
{{- if $context.enabled }}
{{- $fields := omit $context "enabled" }}
{{- $adapt := dig "compatibility" "openshift" "adaptSecurityContext" "disabled" $root.Values.global }}
{{- if or (eq $adapt "force") (and (eq $adapt "auto") ($root.Capabilities.APIVersions.Has "security.openshift.io/v1")) }}
{{- $fields = omit $fields "fsGroup" "runAsUser" "runAsGroup" }}
{{- if not $fields.seLinuxOptions }}
{{- $fields = omit $fields "seLinuxOptions" }}
{{- end }}
{{- end }}
{{- with $fields }}
{{- toYaml . }}
{{- end }}
{{- end }}
{{- end }}

{{/* The fields of a container that do not depend on what it runs. */}}
{{- define "external-secrets.container" -}}
{{- with include "external-secrets.securityContext" (list .root .values.securityContext) }}
securityContext:
  {{- . | nindent 2 }}
{{- end }}
{{- $repository := default .values.image.repository .root.Values.global.repository }}
{{- $tag := default .root.Chart.AppVersion .values.image.tag }}
{{- $flavour := ternary (printf "-%s" .values.image.flavour) "" (not (empty .values.image.flavour)) }}
image: {{ printf "%s:%s%s" $repository $tag $flavour | quote }}
imagePullPolicy: {{ .values.image.pullPolicy }}
# What a start failed of is shown by `kubectl describe pod`.
terminationMessagePolicy: FallbackToLogsOnError
{{- $names := list }}
{{- range .values.extraEnv }}
{{- $names = append $names .name }}
{{- end }}
env:
  {{- if not (has "POD_NAMESPACE" $names) }}
  # Arguments take the namespace from here, so that they follow where kustomize moves all to another one.
  - name: POD_NAMESPACE
    valueFrom:
      fieldRef:
        fieldPath: metadata.namespace
  {{- end }}
  {{- with .values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Arguments by name and value; one without a value is a switch. */}}
{{- define "external-secrets.extraArgs" -}}
{{- range $name, $value := .values.extraArgs }}
{{- if or (kindIs "invalid" $value) (eq (toString $value) "") }}
- --{{ $name }}
{{- else }}
- {{ printf "--%s=%s" $name (include "external-secrets.scalar" $value) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Arguments that protect the metrics endpoint. */}}
{{- define "external-secrets.metricsArgs" -}}
{{- with .values.metrics.listen.secure }}
{{- if .enabled }}
- --metrics-secure=true
- --metrics-cert-dir={{ .certDir }}
- --metrics-cert-name={{ .certFile }}
- --metrics-key-name={{ .keyFile }}
{{- end }}
{{- end }}
{{- if .values.metrics.listen.auth.enabled }}
- --metrics-auth=true
{{- end }}
{{- end }}

{{/* The port of the health endpoint of the webhook and the cert-controller, also where its name stands for it. */}}
{{- define "external-secrets.healthPort" -}}
{{- if kindIs "string" .values.readinessProbe.port }}8081{{ else }}{{ .values.readinessProbe.port }}{{ end }}
{{- end }}

{{/* The probes of the webhook and the cert-controller. */}}
{{- define "external-secrets.probes" -}}
{{- with .values.livenessProbe }}
{{- if .enabled }}
livenessProbe:
  httpGet:
    path: /healthz
    port: {{ .port }}
  {{- toYaml (pick . "initialDelaySeconds" "periodSeconds" "timeoutSeconds" "failureThreshold" "successThreshold") | nindent 2 }}
{{- end }}
{{- end }}
{{- with .values.readinessProbe }}
{{- if .enabled }}
readinessProbe:
  httpGet:
    path: /readyz
    port: ready
  {{- toYaml (pick . "initialDelaySeconds" "periodSeconds" "timeoutSeconds" "failureThreshold" "successThreshold") | nindent 2 }}
{{- end }}
{{- end }}
{{- with .values.startupProbe }}
{{- if .enabled }}
startupProbe:
  httpGet:
    path: /readyz
    port: ready
  {{- toYaml (pick . "initialDelaySeconds" "periodSeconds" "failureThreshold") | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
