import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { Me, Role } from "./api/documents";
import { me } from "./api/queries";

const order: Role[] = ["viewer", "operator", "approver", "administrator"];

/** Whether somebody of one role may do what another asks for: each may what those before it may. Pure. */
export const allows = (mine: string, asked: Role) => order.indexOf(mine as Role) >= order.indexOf(asked);

export function useMe(): Me | undefined {
  return useQuery(me).data;
}
export function useMay(asked: Role): boolean {
  const mine = useMe();
  return mine !== undefined && allows(mine.role, asked);
}

const who: Record<Role, string> = { viewer: "anyone who is signed in", operator: "operators", approver: "approvers", administrator: "administrators" };

/** What only some may do: the others see who could, instead of a button that refuses them. */
export function Allowed({ role, to, children }: { role: Role; to: string; children: ReactNode }) {
  if (useMay(role)) return <>{children}</>;
  return (
    <span className="text-[0.8125rem] text-muted">
      {to}: for {who[role]}
    </span>
  );
}
