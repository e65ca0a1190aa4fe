export function Mark({ className = "size-7" }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" className={className} aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#0d6b52" />
      <path d="M9 11h14M9 16h9M9 21h5" stroke="#fff" strokeWidth="2.6" strokeLinecap="round" />
      <path d="m18.5 21.5 2.6 2.6 4.6-5.4" fill="none" stroke="#9ff0cd" strokeWidth="2.6" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
