{{/* What a counter gained: one that was not there before has gained all that it is, which increase() does not see.
     (dict "counter" SELECTOR "in" DURATION) */}}
{{- define "fleetloom.gained" -}}
({{ .counter }} unless {{ .counter }} offset {{ .in }} or increase({{ .counter }}[{{ .in }}]))
{{- end -}}

{{/* A duration such as 1h30m, in seconds. */}}
{{- define "fleetloom.seconds" -}}
{{- $seconds := dict "ms" 0.001 "s" 1 "m" 60 "h" 3600 "d" 86400 -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9]+[a-z]+" . -1 -}}
{{- $sum = addf $sum (mulf (regexFind "[0-9]+" . | float64) (get $seconds (regexFind "[a-z]+" .))) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{/* One alert: (dict "rule" .Values.prometheusRule "alert" … "severity" … "for" … "expr" … "summary" … "description" …) */}}
{{- define "fleetloom.alert" -}}
{{- $labels := merge (dict) .rule.ruleLabels (dict "severity" .severity) -}}
{{- $annotations := dict "summary" .summary "description" .description -}}
{{- $alert := dict "alert" .alert "expr" .expr "labels" $labels "annotations" $annotations -}}
{{- with .for -}}{{- $_ := set $alert "for" . -}}{{- end -}}
{{- toYaml (list $alert) -}}
{{- end -}}
