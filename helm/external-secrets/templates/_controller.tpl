{{/* The controller's arguments, those of ESO's program. */}}
{{- define "external-secrets.controllerArgs" -}}
{{- $values := .values }}
{{- if $values.leaderElect }}
- --enable-leader-election=true
{{- end }}
{{- with $values.leaderElectionID }}
- --leader-election-id={{ . }}
{{- end }}
{{- with $values.leaderElectionLeaseDuration }}
- --leader-election-lease-duration={{ . }}
{{- end }}
{{- with $values.leaderElectionRenewDeadline }}
- --leader-election-renew-deadline={{ . }}
{{- end }}
{{- with $values.leaderElectionRetryPeriod }}
- --leader-election-retry-period={{ . }}
{{- end }}
{{- if or $values.scopedNamespace $values.scopedRBAC }}
- --namespace={{ default "$(POD_NAMESPACE)" $values.scopedNamespace }}
{{- end }}
{{- if or $values.scopedRBAC (not $values.processClusterStore) }}
- --enable-cluster-store-reconciler=false
{{- end }}
{{- if or $values.scopedRBAC (not $values.processClusterExternalSecret) }}
- --enable-cluster-external-secret-reconciler=false
{{- end }}
{{- if or $values.scopedRBAC (not $values.processClusterPushSecret) }}
- --enable-cluster-push-secret-reconciler=false
{{- end }}
{{- if not $values.processPushSecret }}
- --enable-push-secret-reconciler=false
{{- end }}
{{- if not $values.processSecretStore }}
- --enable-secret-store-reconciler=false
{{- end }}
{{- with $values.storeRequeueInterval }}
- --store-requeue-interval={{ . }}
{{- end }}
{{- with $values.controllerClass }}
- --controller-class={{ . }}
{{- end }}
{{- if $values.extendedMetricLabels }}
- --enable-extended-metric-labels=true
{{- end }}
{{- if $values.enableHTTP2 }}
- --enable-http2=true
{{- end }}
{{- with $values.concurrent }}
- --concurrent={{ . }}
{{- end }}
{{- if $values.genericTargets.enabled }}
- --unsafe-allow-generic-targets=true
{{- end }}
{{- if ne (toString $values.azureOwnIdentityInSecretStores) "<nil>" }}
- --azure-own-identity-in-secret-stores={{ $values.azureOwnIdentityInSecretStores }}
{{- end }}
{{- include "external-secrets.extraArgs" . }}
- --metrics-addr=:{{ $values.metrics.listen.port }}
- --loglevel={{ $values.log.level }}
- --zap-time-encoding={{ $values.log.timeEncoding }}
{{- if or $values.livenessProbe.enabled $values.readinessProbe.enabled }}
- --live-addr={{ $values.livenessProbe.spec.address }}:{{ include "external-secrets.livePort" .root }}
{{- end }}
{{- include "external-secrets.metricsArgs" . }}
{{- end }}

{{/* Whether SecretStores may read as the controller: what the value says, else whether it works in one namespace alone. */}}
{{- define "external-secrets.ownIdentityInSecretStores" -}}
{{- $value := toString .Values.azureOwnIdentityInSecretStores }}
{{- if eq $value "<nil>" }}
{{- $value = toString (not (empty (or .Values.scopedNamespace .Values.scopedRBAC))) }}
{{- end }}
{{- $value }}
{{- end }}

{{/* The port of the controller's health endpoint: the probe's, where that is a number and not the port's name. */}}
{{- define "external-secrets.livePort" -}}
{{- with .Values.livenessProbe.spec }}
{{- ternary .port .httpGet.port (kindIs "string" .httpGet.port) }}
{{- end }}
{{- end }}

{{/* Refuses values that would do something else than they say. */}}
{{- define "external-secrets.checkValues" -}}
{{- if (index .Values "bitwarden-sdk-server").enabled }}
{{- fail "bitwarden-sdk-server.enabled: Bitwarden is not served, only Azure Key Vault. Remove the value." }}
{{- end }}
{{- if and .Values.processClusterPushSecret (not .Values.processPushSecret) }}
{{- fail "processClusterPushSecret needs processPushSecret: a ClusterPushSecret makes PushSecrets. Set both to true, or processClusterPushSecret to false." }}
{{- end }}
{{- if and .Values.rbac.serviceAccountTokenRequests (not .Values.rbac.create) }}
{{- fail "rbac.serviceAccountTokenRequests needs rbac.create: no roles are made without it." }}
{{- end }}
{{- end }}
