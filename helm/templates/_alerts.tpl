{{/* What a counter gained: one that was not there before has gained all that it is, which increase() does not see.
     (dict "counter" SELECTOR "in" DURATION) */}}
{{- define "fleetloom.gained" -}}
({{ .counter }} unless {{ .counter }} offset {{ .in }} or increase({{ .counter }}[{{ .in }}]))
{{- end -}}

{{/* One alert: (dict "rule" .Values.prometheusRule "alert" … "severity" … "for" … "expr" … "summary" … "description" …) */}}
{{- define "fleetloom.alert" -}}
{{- $labels := merge (dict) .rule.ruleLabels (dict "severity" .severity) -}}
{{- $annotations := dict "summary" .summary "description" .description -}}
{{- $alert := dict "alert" .alert "expr" .expr "labels" $labels "annotations" $annotations -}}
{{- with .for -}}{{- $_ := set $alert "for" . -}}{{- end -}}
{{- toYaml (list $alert) -}}
{{- end -}}
