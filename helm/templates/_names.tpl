{{/* What things are called, and the labels on them. */}}

{{- define "fleetloom.name" -}}
{{- default "fleetloom-operator" .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The operator's Deployment, ServiceAccount, Service: `fleetloom-operator` in a release named fleetloom. */}}
{{- define "fleetloom.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "fleetloom.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else if hasPrefix (printf "%s-" .Release.Name) (include "fleetloom.name" .) -}}
{{- include "fleetloom.name" . -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "fleetloom.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the operator's pod. Never the pods of Runs: their name is `fleetloom`. */}}
{{- define "fleetloom.selector" -}}
app.kubernetes.io/name: {{ include "fleetloom.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "fleetloom.labels" -}}
{{ include "fleetloom.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: fleetloom
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* metadata of one thing: (dict "root" $ "name" … "namespace" … "labels" … "annotations" …); no namespace, cluster-wide. */}}
{{- define "fleetloom.metadata" -}}
name: {{ .name }}
{{- with .namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- include "fleetloom.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "fleetloom.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "fleetloom.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: write the name of the account that is there, or serviceAccount.create: true" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* An image by digest, else by tag, else by the version of the chart's program: (dict "root" $ "image" .Values.image). */}}
{{- define "fleetloom.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (default .root.Chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end -}}
