{{/*
What the values say of ESO's image, as a JSON list of "key (value)". An image is ESO's by its registry, also behind one that mirrors
that; by its path, unless a tag says which program it is; by its tag, which has a v before the version, as those of this chart's program
do not; and by a flavour of ESO's.
*/}}
{{- define "external-secrets.formerImages" -}}
{{- $found := list }}
{{- range $path, $image := include "external-secrets.images" . | fromJson }}
{{- $repository := toString (default $image.repository $.Values.global.repository) }}
{{- $tag := toString (default "" $image.tag) }}
{{- $flavour := toString (default "" $image.flavour) }}
{{- $key := ternary (printf "%s.repository" $path) "global.repository" (empty $.Values.global.repository) }}
{{- if regexMatch "(^|/)(ghcr\\.io|oci\\.external-secrets\\.io)/external-secrets/" $repository }}
{{- $found = append $found (printf "%s (%s)" $key $repository) }}
{{- else if and (not $tag) (regexMatch "(^|/)external-secrets/external-secrets$" $repository) }}
{{- $found = append $found (printf "%s (%s, or set %s.tag if it is this chart's image)" $key $repository $path) }}
{{- end }}
{{- if and (regexMatch "^v[0-9]+\\.[0-9]+\\.[0-9]+" $tag) (ne $tag (printf "v%s" $.Chart.AppVersion)) }}
{{- $found = append $found (printf "%s.tag (%s)" $path $tag) }}
{{- end }}
{{- if regexMatch "^ubi(-|$)" $flavour }}
{{- $found = append $found (printf "%s.flavour (%s)" $path $flavour) }}
{{- end }}
{{- end }}
{{- $found | uniq | toJson }}
{{- end }}

{{/* The images of the deployments that are wanted, as a JSON object, by where the values have them. */}}
{{- define "external-secrets.images" -}}
{{- $images := dict }}
{{- if .Values.createOperator }}
{{- $_ := set $images "image" .Values.image }}
{{- end }}
{{- if .Values.webhook.create }}
{{- $_ := set $images "webhook.image" .Values.webhook.image }}
{{- end }}
{{- if include "external-secrets-cert-controller.enabled" . }}
{{- $_ := set $images "certController.image" .Values.certController.image }}
{{- end }}
{{- toJson $images }}
{{- end }}
