{{/* Names and labels that all objects share. */}}
{{- define "crossfade.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "crossfade.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "crossfade.workerLabels" -}}
app.kubernetes.io/name: crossfade-worker
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "crossfade.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* A native sidecar is asked to end when the application has ended: nobody is left to wait for. */}}
{{- define "crossfade.config" -}}
{{- if .Values.sidecar.native -}}
{{ toYaml (merge (deepCopy .Values.config) (dict "shutdown" (dict "quietMs" 0))) }}
{{- else -}}
{{ toYaml .Values.config }}
{{- end -}}
{{- end -}}
