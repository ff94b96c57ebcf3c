{{/* The members as a JSON list: those of the preset, with what committee.members says of each. */}}
{{- define "quorate.members" -}}
{{- $preset := index (include "quorate.presets" . | fromJson) .Values.committee.preset }}
{{- $given := .Values.committee.members }}
{{- if and $given (ne (len $given) (len $preset.members)) }}
{{- fail (printf "committee.members names %d, and the preset %s has %d: name all of them, or none" (len $given) .Values.committee.preset (len $preset.members)) }}
{{- end }}
{{- $members := list }}
{{- $names := list }}
{{- range $index, $default := $preset.members }}
{{- $own := dict }}
{{- if $given }}
{{- $own = index $given $index }}
{{- end }}
{{- $name := $own.name | default $default.name }}
{{- $judges := $own.judges | default $default.judges }}
{{- $domain := $own.failureDomain | default $name }}
{{- $selector := $own.nodeSelector | default dict }}
{{- $names = append $names $name }}
{{- $members = append $members (dict "name" $name "judges" $judges "failureDomain" $domain "nodeSelector" $selector) }}
{{- end }}
{{- if ne (len ($names | uniq)) (len $names) }}
{{- fail "committee.members names one member twice" }}
{{- end }}
{{- $members | toJson }}
{{- end }}

{{/* What the install Job seats: (dict) of preset and members, as JSON. */}}
{{- define "quorate.committee" -}}
{{- $members := list }}
{{- range include "quorate.members" . | fromJsonArray }}
{{- $members = append $members (pick . "name" "judges" "failureDomain") }}
{{- end }}
{{- dict "preset" .Values.committee.preset "members" $members | toJson }}
{{- end }}
