import type { ReactNode } from "react";

interface NoticeProps {
  readonly tone: "info" | "success" | "danger";
  readonly title?: string;
  readonly children: ReactNode;
  readonly action?: ReactNode;
}

/** A message that is read out when it appears: at once where something failed. */
export function Notice({ tone, title, children, action }: NoticeProps) {
  return (
    <div className={`notice ${tone}`} role={tone === "danger" ? "alert" : "status"}>
      <div>
        {title && <strong>{title}</strong>}
        <p>{children}</p>
      </div>
      {action}
    </div>
  );
}
