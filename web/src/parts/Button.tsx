import type { ButtonHTMLAttributes, ReactNode } from "react";

const looks = {
  primary: "bg-accent text-accent-ink hover:brightness-110 border-transparent",
  plain: "bg-surface text-ink border-line hover:bg-raised",
  danger: "bg-surface text-bad border-bad/50 hover:bg-bad-soft",
  "danger-solid": "bg-bad text-[light-dark(#ffffff,#2b0805)] border-transparent hover:brightness-110",
  quiet: "bg-transparent border-transparent text-muted hover:text-ink hover:bg-raised",
} as const;

const form = "inline-flex min-h-9 items-center justify-center gap-2 rounded-lg border px-3 py-1.5 text-sm font-medium transition-colors";
/** A link that stands among buttons. */
export const linkLook = `${form} ${looks.plain}`;

export function Button({ look = "plain", busy = false, className = "", children, ...rest }: ButtonHTMLAttributes<HTMLButtonElement> & { look?: keyof typeof looks; busy?: boolean }) {
  return (
    <button
      type="button"
      {...rest}
      disabled={rest.disabled || busy}
      aria-busy={busy || undefined}
      className={`${form} disabled:opacity-60 ${looks[look]} ${className}`}
    >
      {busy && <span aria-hidden="true" className="size-3.5 animate-spin rounded-full border-2 border-current border-t-transparent" />}
      {children}
    </button>
  );
}

export function Field({ label, hint, children }: { label: string; hint?: ReactNode; children: ReactNode }) {
  return (
    <div>
      <label className="block">
        <span className="mb-1 block text-sm font-medium">{label}</span>
        {children}
      </label>
      {hint && <p className="mt-1 text-[0.8125rem] text-muted">{hint}</p>}
    </div>
  );
}
export const inputLook = "w-full min-h-9 rounded-lg border border-strong-line bg-surface px-3 py-1.5 text-ink placeholder:text-muted";
