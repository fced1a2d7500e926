{{/* All that the operator may do, wherever it watches. No Secrets; no Pods but to look at; none of its own kinds' words but Runs,
     which schedules make and history limits remove. */}}
{{- define "fleetloom.rules" -}}
- apiGroups: [fleetloom.dev]
  resources: [archives, pipelines]
  verbs: [get, list, watch]
- apiGroups: [fleetloom.dev]
  resources: [runs]
  verbs: [get, list, watch, create, delete]
- apiGroups: [fleetloom.dev]
  resources: [archives/status, pipelines/status, runs/status]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{- define "fleetloom.subjects" -}}
- kind: ServiceAccount
  name: {{ include "fleetloom.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
