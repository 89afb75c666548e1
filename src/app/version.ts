/** What we present ourselves as: the Kubernetes whose API and behaviour we match, then our own count. */
export const VERSION = "v1.36.1+twill1";
