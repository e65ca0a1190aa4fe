{{- define "steward.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "steward.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "steward.labels" -}}
{{ include "steward.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "steward.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "steward.name" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "steward.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/* What each container of steward's has: where its configuration and state are, and its secrets by reference. */}}
{{- define "steward.env" -}}
- name: STEWARD_STATE_DIR
  value: /var/lib/steward
- name: TMPDIR
  value: /var/lib/steward-scratch
{{- if .Values.config }}
- name: STEWARD_CONFIG
  value: /etc/steward/steward.yaml
{{- end }}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- if .Values.ledger.existingSecret }}
- name: STEWARD_LEDGER_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.ledger.existingSecret }}
      key: {{ .Values.ledger.key }}
{{- end }}
{{- end -}}

{{- define "steward.envFrom" -}}
{{- range .Values.secrets }}
- secretRef:
    name: {{ . }}
{{- end }}
{{- end -}}

{{/* Nothing that a container need not have. */}}
{{- define "steward.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "steward.mounts" -}}
- name: scratch
  mountPath: /var/lib/steward-scratch
- name: tmp
  mountPath: /tmp
{{- if .Values.config }}
- name: config
  mountPath: /etc/steward
  readOnly: true
{{- end }}
{{- with .Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "steward.volumes" -}}
- name: scratch
  emptyDir:
    sizeLimit: {{ .Values.scratch.size }}
- name: tmp
  emptyDir: {}
{{- if .Values.config }}
- name: config
  configMap:
    name: {{ include "steward.name" . }}
{{- end }}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What cannot go together is refused before anything is installed. */}}
{{- define "steward.check" -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.ledger.existingSecret) -}}
{{- fail "replicas: several daemons share a ledger in PostgreSQL: set ledger.existingSecret" -}}
{{- end -}}
{{- if and (gt (int .Values.replicas) 1) .Values.state.persistent (eq .Values.state.accessMode "ReadWriteOnce") -}}
{{- fail "replicas: a volume that is ReadWriteOnce is for one pod: set state.persistent to false, or accessMode to ReadWriteMany" -}}
{{- end -}}
{{- if and (not .Values.state.persistent) (not .Values.ledger.existingSecret) -}}
{{- fail "state.persistent: without a volume the ledger would be lost with the pod: set ledger.existingSecret" -}}
{{- end -}}
{{- if and .Values.healthcheck.enabled (not .Values.ledger.existingSecret) -}}
{{- fail "healthcheck: a pod of its own cannot read a ledger on the daemon's volume: set ledger.existingSecret" -}}
{{- end -}}
{{- if and .Values.dagster.enabled (not .Values.ledger.existingSecret) -}}
{{- fail "dagster: shards in pods of their own find their plan in the ledger: set ledger.existingSecret" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress: set ingress.host" -}}
{{- end -}}
{{- end -}}

{{/* A step's state is its own: what has to last is in the ledger. */}}
{{- define "steward.dagsterMounts" -}}
- name: state
  mountPath: /var/lib/steward
- name: definitions
  mountPath: /etc/dagster-steward
  readOnly: true
{{ include "steward.mounts" . }}
{{- end -}}

{{- define "steward.dagsterVolumes" -}}
- name: state
  emptyDir: {}
- name: definitions
  configMap:
    name: {{ include "steward.name" . }}-dagster
{{ include "steward.volumes" . }}
{{- end -}}

{{- define "steward.dagsterEnv" -}}
- name: STEWARD_MAX_SHARDS
  value: {{ .Values.dagster.maxShards | quote }}
- name: HOME
  value: /tmp
{{ include "steward.env" . }}
{{- end -}}
