{{/*
What a pod needs to have Crossfade in it. For your own chart: list this one as a dependency, and in your Deployment write

  metadata:
    annotations:
      {{- include "crossfade.podAnnotations" .Subcharts.crossfade | nindent 8 }}
  spec:
    terminationGracePeriodSeconds: 60
    initContainers:
      {{- include "crossfade.sidecar" .Subcharts.crossfade | nindent 8 }}
    containers:
      - name: app
        env:
          {{- include "crossfade.applicationEnv" .Subcharts.crossfade | nindent 12 }}
    volumes:
      {{- include "crossfade.volumes" .Subcharts.crossfade | nindent 8 }}

With sidecar.native=false the sidecar is the first of `containers` instead.
*/}}

{{/* Rolls the pods when the settings change, because a process reads them at its start only. */}}
{{- define "crossfade.podAnnotations" -}}
checksum/crossfade-config: {{ include "crossfade.config" . | sha256sum }}
{{- end -}}

{{- define "crossfade.applicationEnv" -}}
- name: OPENSEARCH_URL
  value: http://{{ .Values.config.listen }}
{{- end -}}

{{- define "crossfade.volumes" -}}
- name: crossfade-config
  configMap:
    name: {{ include "crossfade.fullname" . }}
- name: crossfade-state
  emptyDir: {}
- name: crossfade-secrets
  secret:
    secretName: {{ .Values.secretName }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "crossfade.sidecar" -}}
- name: crossfade
  {{- if .Values.sidecar.native }}
  restartPolicy: Always
  {{- else }}
  lifecycle:
    postStart:
      exec:
        command:
          - /nodejs/bin/node
          - -e
          - >-
            const ask = () => fetch('http://127.0.0.1:{{ include "crossfade.adminPort" . }}/startupz')
            .then((answer) => answer.ok || Promise.reject()).catch(() => setTimeout(ask, 250));
            setTimeout(() => process.exit(1), 60000).unref();
            ask();
  {{- end }}
  args: [agent]
  {{- include "crossfade.container" . | nindent 2 }}
  resources:
    {{- toYaml .Values.sidecar.resources | nindent 4 }}
{{- end -}}

{{- define "crossfade.adminPort" -}}
{{ splitList ":" .Values.config.admin.listen | last }}
{{- end -}}

{{/* What sidecar and worker have in common. The process gets its own user here, so that a pod without one is no hindrance. */}}
{{- define "crossfade.container" -}}
image: {{ include "crossfade.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  - name: POD_NAME
    valueFrom: { fieldRef: { fieldPath: metadata.name } }
  - name: POD_IP
    valueFrom: { fieldRef: { fieldPath: status.podIP } }
  - name: CROSSFADE_CONFIG
    value: /etc/crossfade/crossfade.yaml
ports:
  - name: crossfade-admin
    containerPort: {{ include "crossfade.adminPort" . }}
startupProbe:
  httpGet: { path: /startupz, port: crossfade-admin }
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: { path: /readyz, port: crossfade-admin }
  periodSeconds: 10
livenessProbe:
  httpGet: { path: /livez, port: crossfade-admin }
  periodSeconds: 20
  failureThreshold: 5
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
  seccompProfile: { type: RuntimeDefault }
volumeMounts:
  - name: crossfade-config
    mountPath: /etc/crossfade
    readOnly: true
  - name: crossfade-state
    mountPath: /var/lib/crossfade
  - name: crossfade-secrets
    mountPath: /run/secrets/crossfade
    readOnly: true
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
