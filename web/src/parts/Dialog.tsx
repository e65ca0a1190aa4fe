import { useEffect, useRef, type ReactNode } from "react";

/** A modal of the browser's own: it keeps the focus, and Escape closes it. */
export function Dialog({ title, onClose, wide = false, children }: { title: string; onClose: () => void; wide?: boolean; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const shown = dialog.current;
    if (shown && !shown.open) shown.showModal();
    return () => shown?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-label={title}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
      className={`m-auto max-h-[90vh] w-[calc(100vw-2rem)] ${wide ? "max-w-4xl" : "max-w-lg"} rounded-xl border border-line bg-surface p-0 shadow-2xl`}
    >
      <div className="p-5">
        <h2 className="mb-3 text-lg font-semibold">{title}</h2>
        {children}
      </div>
    </dialog>
  );
}
