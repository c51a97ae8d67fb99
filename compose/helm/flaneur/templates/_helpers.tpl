{{/* The release's name, or the chart's where that says more. */}}
{{- define "flaneur.name" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* Labels of everything. Called with (dict "root" $ "component" "worker"). */}}
{{- define "flaneur.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: flaneur
{{ include "flaneur.selector" . }}
{{- end }}

{{/* What the pods of a component are found by. */}}
{{- define "flaneur.selector" -}}
app.kubernetes.io/name: flaneur
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "flaneur.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* Of every pod: nobody is root, and no process asks Kubernetes for anything. */}}
{{- define "flaneur.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.runAsUser }}
  runAsGroup: {{ .Values.runAsUser }}
  fsGroup: {{ .Values.runAsUser }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Of every container: nothing but /tmp and the compiled kernels can be written. */}}
{{- define "flaneur.container" -}}
image: {{ include "flaneur.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [flaneur]
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* What every process must know. Called with (dict "root" $ "user" "worker"). */}}
{{- define "flaneur.env" -}}
{{- $kafka := .root.Values.kafka -}}
- {name: BOOTSTRAP, value: {{ required "kafka.bootstrap: where are the brokers?" $kafka.bootstrap | quote }}}
- {name: GROUP, value: {{ $kafka.group | quote }}}
- {name: PARTITIONS, value: {{ $kafka.partitions | quote }}}
- {name: REPLICATION, value: {{ $kafka.replication | quote }}}
- {name: LOG_LEVEL, value: {{ .root.Values.logLevel | quote }}}
- {name: KAFKA_SECURITY_PROTOCOL, value: {{ $kafka.securityProtocol | quote }}}
{{- if hasPrefix "SASL_" $kafka.securityProtocol }}
- {name: KAFKA_SASL_MECHANISM, value: {{ $kafka.saslMechanism | quote }}}
- {name: KAFKA_USER, value: {{ include "flaneur.user" . | quote }}}
- {name: KAFKA_PASSWORD_FILE, value: /run/secrets/kafka/password}
{{- end }}
{{- if and (hasSuffix "SSL" $kafka.securityProtocol) $kafka.caSecret.name }}
- {name: KAFKA_CA_FILE, value: /run/secrets/kafka-ca/ca.crt}
{{- end }}
{{- end }}

{{/* The name by which a service signs in at the brokers. */}}
{{- define "flaneur.user" -}}
{{- $user := index .root.Values.kafka.users .user -}}
{{- $user.name | default (printf "%s-%s" (include "flaneur.name" .root) .user) -}}
{{- end }}

{{- define "flaneur.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: cache, mountPath: /var/cache/flaneur}
{{- if hasPrefix "SASL_" .root.Values.kafka.securityProtocol }}
- {name: kafka, mountPath: /run/secrets/kafka, readOnly: true}
{{- end }}
{{- if and (hasSuffix "SSL" .root.Values.kafka.securityProtocol) .root.Values.kafka.caSecret.name }}
- {name: kafka-ca, mountPath: /run/secrets/kafka-ca, readOnly: true}
{{- end }}
{{- end }}

{{- define "flaneur.volumes" -}}
{{- $kafka := .root.Values.kafka -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .root.Values.tmpSize }}}
- name: cache # compiled kernels
  emptyDir: {sizeLimit: {{ .root.Values.tmpSize }}}
{{- if hasPrefix "SASL_" $kafka.securityProtocol }}
{{- $user := index $kafka.users .user }}
- name: kafka
  secret:
    secretName: {{ $user.existingSecret | default (include "flaneur.user" .) }}
    defaultMode: 0440
    items: [{key: {{ $user.passwordKey | default "password" }}, path: password}]
{{- end }}
{{- if and (hasSuffix "SSL" $kafka.securityProtocol) $kafka.caSecret.name }}
- name: kafka-ca
  secret:
    secretName: {{ $kafka.caSecret.name }}
    defaultMode: 0440
    items: [{key: {{ $kafka.caSecret.key }}, path: ca.crt}]
{{- end }}
{{- end }}

{{/* Further settings, by the names of their variables. */}}
{{- define "flaneur.settings" -}}
{{- range $name, $value := . }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end }}

{{/* The walk graph: a claim or any other volume, unless it lies in the image. */}}
{{- define "flaneur.graphMount" -}}
{{- if or .Values.graph.existingClaim .Values.graph.volume }}
- {name: graph, mountPath: /var/lib/flaneur, readOnly: true}
{{- end }}
{{- end }}
{{- define "flaneur.graphVolume" -}}
{{- if .Values.graph.existingClaim }}
- name: graph
  persistentVolumeClaim: {claimName: {{ .Values.graph.existingClaim }}, readOnly: true}
{{- else if .Values.graph.volume }}
- name: graph
{{ toYaml .Values.graph.volume | indent 2 }}
{{- end }}
{{- end }}

{{/* Where pods may go to, and how they spread. Called with the component's values. */}}
{{- define "flaneur.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "flaneur.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "flaneur.selector" . | nindent 8 }}
{{- end }}

{{/* No more workers than partitions: the others would have nothing to do. */}}
{{- define "flaneur.mostWorkers" -}}
{{- min (int .Values.keda.maxReplicas) (int .Values.kafka.partitions) -}}
{{- end }}
