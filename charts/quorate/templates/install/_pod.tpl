{{/* Pod of the operator's image for one short command: (dict "command" NAME "root" $). */}}
{{- define "quorate.commandPod" -}}
serviceAccountName: quorate-install
restartPolicy: {{ .restartPolicy }}
securityContext:
  {{- include "quorate.podSecurity" .root | nindent 2 }}
{{- include "quorate.placement" .root }}
containers:
  - name: {{ .command }}
    image: {{ .root.Values.images.operator }}
    args: [{{ .command }}]
    # The last lines of the log say why, where somebody looks first.
    terminationMessagePolicy: FallbackToLogsOnError
    env:
      {{- include "quorate.environment" .root | nindent 6 }}
      {{- if eq .command "install" }}
      - name: QUORATE_COMMITTEE
        value: {{ include "quorate.committee" .root | quote }}
      - name: QUORATE_ADMINS
        value: {{ .root.Values.committee.admins | toJson | quote }}
      {{- end }}
    resources:
      requests: {cpu: 50m, memory: 128Mi}
      limits: {memory: 256Mi}
    securityContext:
      {{- include "quorate.containerSecurity" .root | nindent 6 }}
    volumeMounts:
      - name: tmp
        mountPath: /tmp
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: 16Mi
{{- end }}
