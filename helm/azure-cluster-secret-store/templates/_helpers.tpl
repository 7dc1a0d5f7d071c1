{{- define "azure-cluster-secret-store.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "azure-cluster-secret-store.apiVersion" -}}
{{- $versions := .Capabilities.APIVersions }}
{{- $onlyOld := and ($versions.Has "external-secrets.io/v1beta1") (not ($versions.Has "external-secrets.io/v1")) }}
{{- default (ternary "external-secrets.io/v1beta1" "external-secrets.io/v1" $onlyOld) .Values.apiVersion }}
{{- end }}

{{- define "azure-cluster-secret-store.vaultUrl" -}}
{{- $suffixes := dict
  "PublicCloud" "vault.azure.net"
  "USGovernmentCloud" "vault.usgovcloudapi.net"
  "ChinaCloud" "vault.azure.cn"
}}
{{- default (printf "https://%s.%s" .Values.azureKeyContainerName (get $suffixes .Values.environmentType)) .Values.vaultUrl }}
{{- end }}
