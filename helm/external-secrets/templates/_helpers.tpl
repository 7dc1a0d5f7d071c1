{{- define "external-secrets.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The release's name, followed by the chart's where it does not hold that already. */}}
{{- define "external-secrets.fullname" -}}
{{- $name := include "external-secrets.name" . }}
{{- $full := .Release.Name }}
{{- if .Values.fullnameOverride }}
{{- $full = .Values.fullnameOverride }}
{{- else if not (contains $name $full) }}
{{- $full = printf "%s-%s" $full $name }}
{{- end }}
{{- $full | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* For what must be a DNS label, such as a Service: of (list scope suffix), the full name cut so that the suffix fits. */}}
{{- define "external-secrets.componentName" -}}
{{- $suffix := index . 1 }}
{{- $room := sub 63 (len $suffix) | int }}
{{- include "external-secrets.fullname" (index . 0) | trunc $room | trimSuffix "-" }}{{ $suffix }}
{{- end }}

{{- define "external-secrets.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{/* The one namespace of a controller with scopedRBAC. */}}
{{- define "external-secrets.scope" -}}
{{- default .Release.Namespace .Values.scopedNamespace }}
{{- end }}

{{/*
Selectors cannot be changed by an upgrade: these are those of ESO's chart, so that its release can be upgraded.
*/}}
{{- define "external-secrets.selectorLabels" -}}
app.kubernetes.io/name: {{ include "external-secrets.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "external-secrets-webhook.selectorLabels" -}}
app.kubernetes.io/name: {{ include "external-secrets.name" . }}-webhook
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "external-secrets-cert-controller.selectorLabels" -}}
app.kubernetes.io/name: {{ include "external-secrets.name" . }}-cert-controller
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* What every object has besides its selector labels. */}}
{{- define "external-secrets.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Chart.AppVersion }}
app.kubernetes.io/version: {{ . | quote }}
{{- end }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "external-secrets.labels" -}}
{{ include "external-secrets.selectorLabels" . }}
{{ include "external-secrets.commonLabels" . }}
{{- end }}

{{- define "external-secrets-webhook.labels" -}}
{{ include "external-secrets-webhook.selectorLabels" . }}
{{ include "external-secrets.commonLabels" . }}
{{- if include "external-secrets.monitored" . }}
app.kubernetes.io/metrics: webhook
{{- with .Values.webhook.service.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "external-secrets-cert-controller.labels" -}}
{{ include "external-secrets-cert-controller.selectorLabels" . }}
{{ include "external-secrets.commonLabels" . }}
{{- if include "external-secrets.monitored" . }}
app.kubernetes.io/metrics: cert-controller
{{- end }}
{{- end }}

{{- define "external-secrets.serviceAccountName" -}}
{{- $own := ternary (include "external-secrets.fullname" .) "default" .Values.serviceAccount.create }}
{{- default $own .Values.serviceAccount.name }}
{{- end }}

{{/* As in ESO's chart, these two do not hold the release's name. */}}
{{- define "external-secrets-webhook.serviceAccountName" -}}
{{- $own := ternary "external-secrets-webhook" "default" .Values.webhook.serviceAccount.create }}
{{- default $own .Values.webhook.serviceAccount.name }}
{{- end }}

{{- define "external-secrets-cert-controller.serviceAccountName" -}}
{{- $own := ternary "external-secrets-cert-controller" "default" .Values.certController.serviceAccount.create }}
{{- default $own .Values.certController.serviceAccount.name }}
{{- end }}

{{/* Says "true" where the cert-controller is wanted: cert-manager takes its place. */}}
{{- define "external-secrets-cert-controller.enabled" -}}
{{- if and .Values.certController.create (not .Values.webhook.certManager.enabled) }}true{{ end }}
{{- end }}

{{/* The Secret with the webhook's certificate. */}}
{{- define "external-secrets-webhook.secretName" -}}
{{ include "external-secrets.fullname" . }}-webhook
{{- end }}

{{/* Says "true" where ServiceMonitors are rendered, and fails where they must be and cannot. */}}
{{- define "external-secrets.monitored" -}}
{{- if .Values.serviceMonitor.enabled }}
{{- $known := .Capabilities.APIVersions.Has "monitoring.coreos.com/v1/ServiceMonitor" }}
{{- $mode := .Values.serviceMonitor.renderMode }}
{{- if and (eq $mode "failIfMissing") (not $known) }}
{{- fail "serviceMonitor.enabled: the cluster has no kind ServiceMonitor. Install the CRDs of the Prometheus Operator first, or set serviceMonitor.renderMode to skipIfMissing or alwaysRender." }}
{{- end }}
{{- if or $known (eq $mode "alwaysRender") }}true{{ end }}
{{- end }}
{{- end }}

{{/* A number as YAML has it: Helm reads numbers as floats, which print as 1e+06. */}}
{{- define "external-secrets.scalar" -}}
{{- if kindIs "float64" . }}{{ toJson . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}

{{/* The ports of a Service that are common to all: dual-stack settings. */}}
{{- define "external-secrets.ipFamilies" -}}
{{- with .Values.service.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.service.ipFamilies }}
ipFamilies:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Text or an object, either of which may hold template expressions: of (dict "value" "context"). */}}
{{- define "external-secrets.render" -}}
{{- $text := ternary .value (toYaml .value) (kindIs "string" .value) }}
{{- tpl $text .context }}
{{- end }}

{{/*
A token with which Prometheus reads a component's metrics where they want one. It is that of an account that may do nothing else, not
the component's own. Of (list scope component).
*/}}
{{- define "external-secrets.metricsToken" -}}
{{- $root := index . 0 }}
{{- $component := index . 1 -}}
apiVersion: v1
kind: Secret
type: kubernetes.io/service-account-token
metadata:
  name: {{ include "external-secrets.metricsTokenName" . }}
  namespace: {{ include "external-secrets.namespace" $root }}
  labels:
    {{- include (printf "%s.labels" $component) $root | nindent 4 }}
  annotations:
    kubernetes.io/service-account.name: {{ include "external-secrets.fullname" $root }}-metrics-reader
{{- end }}

{{- define "external-secrets.metricsTokenName" -}}
{{ include (printf "%s.serviceAccountName" (index . 1)) (index . 0) }}-metrics-token
{{- end }}

{{/* What a component needs to check the tokens of those who read its metrics, as rules of a role. */}}
{{- define "external-secrets.tokenReviewRules" -}}
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end }}

{{/* Where docs/runbook.md of this version can be read; nothing where nobody says so. A release says in Chart.yaml where it comes from. */}}
{{- define "external-secrets.runbook" -}}
{{- with .Values.prometheusRule.runbookUrl }}{{ . }}
{{- else }}
{{- with .Chart.Home }}{{ trimSuffix "/" . }}/blob/v{{ $.Chart.AppVersion }}/docs/runbook.md{{ end }}
{{- end }}
{{- end }}
