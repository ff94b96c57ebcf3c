{{/* Labels of every object of the chart. */}}
{{- define "quorate.labels" -}}
app.kubernetes.io/name: quorate
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: quorate
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Labels that select the pods of a component: (dict "component" NAME "root" $). */}}
{{- define "quorate.selector" -}}
app.kubernetes.io/name: quorate
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Security context of a pod: what Pod Security "restricted" asks for, and a file group. */}}
{{- define "quorate.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "quorate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Where pods of the chart may run; nodeSelector beside Values is one pod's own. */}}
{{- define "quorate.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with merge (dict) (.nodeSelector | default dict) (.Values.nodeSelector | default dict) }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Probes on the port for health and metrics. Ready is a matter of seconds, alive of minutes; a
start is one of seconds too, but for eight processes at once on two busy cores. */}}
{{- define "quorate.probes" -}}
startupProbe:
  httpGet:
    path: /healthz
    port: health
  periodSeconds: 1
  failureThreshold: 120
readinessProbe:
  httpGet:
    path: /readyz
    port: health
  periodSeconds: 3
  failureThreshold: 2
  timeoutSeconds: 3
livenessProbe:
  httpGet:
    path: /healthz
    port: health
  periodSeconds: 10
  failureThreshold: 6
  timeoutSeconds: 5
{{- end }}

{{/* Facts of the pod and the log level, as environment. */}}
{{- define "quorate.environment" -}}
- name: QUORATE_POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: QUORATE_LOG_LEVEL
  value: {{ .Values.logLevel }}
{{- end }}

{{/* The release belongs in one namespace: identities that the floor trusts hold its name. */}}
{{- define "quorate.checkNamespace" -}}
{{- if ne .Release.Namespace "quorate-system" }}
{{- fail "quorate must be installed in the namespace quorate-system: add --namespace quorate-system" }}
{{- end }}
{{- end }}
