{{/* The members as a JSON list: those of committee.members, with what the preset says of each where
     it leaves that out. How many a new committee has, the install Job compares: only it knows whether
     there is one. */}}
{{- define "quorate.members" -}}
{{- $preset := index (include "quorate.presets" . | fromJson) .Values.committee.preset }}
{{- $given := .Values.committee.members }}
{{- $members := list }}
{{- $names := list }}
{{- range $index := until (len ($given | default $preset.members)) }}
{{- $own := dict }}
{{- if $given }}
{{- $own = index $given $index }}
{{- end }}
{{- $default := dict "name" "" "judges" "" }}
{{- range $place, $member := $preset.members }}
{{- if or (and $own.name (eq $own.name $member.name)) (and (not $own.name) (eq $place $index)) }}
{{- $default = $member }}
{{- end }}
{{- end }}
{{- $name := $own.name | default $default.name }}
{{- $judges := $own.judges | default $default.judges }}
{{- $domain := $own.failureDomain | default $name }}
{{- $selector := $own.nodeSelector | default dict }}
{{- if not (and $name $judges) }}
{{- fail (printf "committee.members[%d]: the preset %s has no such member; say its name and its judges" $index $.Values.committee.preset) }}
{{- end }}
{{- $names = append $names $name }}
{{- $members = append $members (dict "name" $name "judges" $judges "failureDomain" $domain "nodeSelector" $selector) }}
{{- end }}
{{- if ne (len ($names | uniq)) (len $names) }}
{{- fail "committee.members names one member twice" }}
{{- end }}
{{- $members | toJson }}
{{- end }}

{{/* The spares as a JSON list, in the form of members: their numbers follow the preset's. Where nobody
can be put under quarantine there are none. */}}
{{- define "quorate.spares" -}}
{{- $preset := index (include "quorate.presets" . | fromJson) .Values.committee.preset }}
{{- $taken := list }}
{{- range include "quorate.members" . | fromJsonArray }}
{{- $taken = append $taken .name }}
{{- end }}
{{- $first := len $preset.members }}
{{- $spares := list }}
{{- if $preset.quarantine }}
{{- range until (int .Values.committee.spares) }}
{{- $name := printf "member-%d" (add $first .) }}
{{- if has $name $taken }}
{{- fail (printf "committee.members names one %s, which is a spare's name: choose another, or set committee.spares to 0" $name) }}
{{- end }}
{{- $spares = append $spares (dict "name" $name "judges" "seat" "failureDomain" $name "nodeSelector" dict "spare" true) }}
{{- end }}
{{- end }}
{{- $spares | toJson }}
{{- end }}

{{/* The spares as the operator and the install Job are told of them, as a JSON list. */}}
{{- define "quorate.sparesTold" -}}
{{- $told := list }}
{{- range include "quorate.spares" . | fromJsonArray }}
{{- $told = append $told (pick . "name" "failureDomain") }}
{{- end }}
{{- $told | toJson }}
{{- end }}

{{/* What the install Job seats and makes keys for: (dict) of preset, members and spares, as JSON. */}}
{{- define "quorate.committee" -}}
{{- $members := list }}
{{- range include "quorate.members" . | fromJsonArray }}
{{- $members = append $members (pick . "name" "judges" "failureDomain") }}
{{- end }}
{{- $spares := include "quorate.sparesTold" . | fromJsonArray }}
{{- dict "preset" .Values.committee.preset "members" $members "spares" $spares | toJson }}
{{- end }}
