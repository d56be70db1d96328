import { Skeleton } from "@/components/skeleton";

export default function Loading() {
  return (
    <div role="status">
      <span className="visually-hidden">Loading your account</span>
      <div className="identity">
        <span className="avatar skeleton" aria-hidden="true" />
        <div className="identity-lines">
          <Skeleton size="long" />
          <Skeleton size="medium" />
        </div>
      </div>
      <div className="card">
        <Skeleton size="short" />
        <Skeleton size="field" />
      </div>
    </div>
  );
}
