import type { ReactNode } from "react";

/** A page's title, with what can be done there. */
export function Heading({ title, sub, actions }: { title: ReactNode; sub?: ReactNode; actions?: ReactNode }) {
  return (
    <div className="mb-5 flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
      <div className="min-w-0">
        <h1 className="text-2xl font-semibold tracking-tight break-words">{title}</h1>
        {sub && <div className="mt-1 max-w-3xl text-muted">{sub}</div>}
      </div>
      {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
    </div>
  );
}

export function Section({ title, aside, children, id }: { title: string; aside?: ReactNode; children: ReactNode; id?: string }) {
  return (
    <section aria-label={title} className="mt-8 first:mt-0" id={id}>
      <div className="mb-2 flex flex-wrap items-baseline justify-between gap-3">
        <h2 className="text-base font-semibold">{title}</h2>
        {aside && <div className="text-sm text-muted">{aside}</div>}
      </div>
      {children}
    </section>
  );
}

/** Names and values, one under the other. */
export function Facts({ of }: { of: [string, ReactNode][] }) {
  return (
    <dl className="grid grid-cols-[repeat(auto-fit,minmax(11rem,1fr))] gap-x-6 gap-y-2">
      {of.map(([name, value]) => (
        <div key={name} className="min-w-0">
          <dt className="text-[0.8125rem] text-muted">{name}</dt>
          <dd className="break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A table that scrolls sideways by itself, so that the page never does. */
export function Table({ label, head, children, numeric = [] }: { label: string; head: ReactNode[]; children: ReactNode; numeric?: number[] }) {
  return (
    <div className="card relative overflow-x-auto" tabIndex={0} role="region" aria-label={`${label}: table`}>
      <table className="w-full border-collapse text-left [&_td]:px-4 [&_td]:py-2.5 [&_td]:align-top [&_th]:px-4 [&_th]:py-2.5 [&_tbody_tr]:border-t [&_tbody_tr]:border-line [&_tbody_tr:hover]:bg-raised/60">
        <thead>
          <tr className="text-[0.8125rem] text-muted">
            {head.map((cell, index) => (
              <th key={index} scope="col" className={`font-medium whitespace-nowrap ${numeric.includes(index) ? "text-right" : ""}`}>
                {cell === "" ? <span className="sr-only">What can be done</span> : cell}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

export function Tabs<T extends string>({ value, tabs, onChange }: { value: T; tabs: [T, ReactNode][]; onChange: (value: T) => void }) {
  return (
    <div className="mb-4 flex gap-1 overflow-x-auto border-b border-line" role="tablist">
      {tabs.map(([key, words]) => (
        <button
          key={key}
          role="tab"
          aria-selected={key === value}
          onClick={() => onChange(key)}
          className={`-mb-px border-b-2 px-3 py-2 font-medium whitespace-nowrap ${key === value ? "border-accent text-ink" : "border-transparent text-muted hover:text-ink"}`}
        >
          {words}
        </button>
      ))}
    </div>
  );
}
