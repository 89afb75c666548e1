import type { JsonObject } from "../../json.ts";

/** One object of every kind that can be created by itself, as small as it may be. Not of those that kubectl 1.32 describes in a beta version only:
 *  ServiceCIDR and VolumeAttributesClass. */
export const OWN_KINDS: readonly JsonObject[] = [
  {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "data": {
      "a": "b"
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "v1",
    "kind": "Secret",
    "stringData": {
      "a": "b"
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "v1",
    "kind": "Pod",
    "spec": {
      "containers": [
        {
          "name": "c",
          "image": "i"
        }
      ]
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "v1",
    "kind": "Service",
    "spec": {
      "ports": [
        {
          "port": 80
        }
      ],
      "selector": {
        "a": "b"
      }
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "v1",
    "kind": "Endpoints",
    "subsets": [
      {
        "addresses": [
          {
            "ip": "10.1.2.3"
          }
        ],
        "ports": [
          {
            "port": 80
          }
        ]
      }
    ],
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "v1",
    "kind": "ServiceAccount",
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "v1",
    "kind": "Event",
    "involvedObject": {
      "namespace": "each",
      "kind": "Pod",
      "name": "p"
    },
    "reason": "R",
    "message": "m",
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "spec": {
      "limits": [
        {
          "type": "Pod",
          "max": {
            "cpu": "100"
          }
        }
      ]
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "spec": {
      "hard": {
        "count/leases.coordination.k8s.io": "100"
      }
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "v1",
    "kind": "PodTemplate",
    "template": {
      "metadata": {
        "labels": {
          "app": "x"
        }
      },
      "spec": {
        "containers": [
          {
            "name": "c",
            "image": "i"
          }
        ]
      }
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "v1",
    "kind": "ReplicationController",
    "spec": {
      "selector": {
        "app": "x"
      },
      "template": {
        "metadata": {
          "labels": {
            "app": "x"
          }
        },
        "spec": {
          "containers": [
            {
              "name": "c",
              "image": "i"
            }
          ]
        }
      }
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "spec": {
      "accessModes": [
        "ReadWriteOnce"
      ],
      "resources": {
        "requests": {
          "storage": "1Gi"
        }
      }
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "spec": {
      "capacity": {
        "storage": "1Gi"
      },
      "accessModes": [
        "ReadWriteOnce"
      ],
      "hostPath": {
        "path": "/x"
      }
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "v1",
    "kind": "Node",
    "spec": {
      "podCIDR": "10.42.1.0/24",
      "podCIDRs": [
        "10.42.1.0/24"
      ]
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
      "name": "another"
    }
  },
  {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "spec": {
      "selector": {
        "matchLabels": {
          "app": "x"
        }
      },
      "template": {
        "metadata": {
          "labels": {
            "app": "x"
          }
        },
        "spec": {
          "containers": [
            {
              "name": "c",
              "image": "i"
            }
          ]
        }
      }
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
    "spec": {
      "selector": {
        "matchLabels": {
          "app": "x"
        }
      },
      "template": {
        "metadata": {
          "labels": {
            "app": "x"
          }
        },
        "spec": {
          "containers": [
            {
              "name": "c",
              "image": "i"
            }
          ]
        }
      }
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "spec": {
      "serviceName": "s",
      "selector": {
        "matchLabels": {
          "app": "x"
        }
      },
      "template": {
        "metadata": {
          "labels": {
            "app": "x"
          }
        },
        "spec": {
          "containers": [
            {
              "name": "c",
              "image": "i"
            }
          ]
        }
      }
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "spec": {
      "selector": {
        "matchLabels": {
          "app": "x"
        }
      },
      "template": {
        "metadata": {
          "labels": {
            "app": "x"
          }
        },
        "spec": {
          "containers": [
            {
              "name": "c",
              "image": "i"
            }
          ]
        }
      }
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "apps/v1",
    "kind": "ControllerRevision",
    "revision": 1,
    "data": {
      "a": 1
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {
      "template": {
        "spec": {
          "restartPolicy": "Never",
          "containers": [
            {
              "name": "c",
              "image": "i"
            }
          ]
        }
      }
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "spec": {
      "schedule": "* * * * *",
      "jobTemplate": {
        "spec": {
          "template": {
            "spec": {
              "restartPolicy": "Never",
              "containers": [
                {
                  "name": "c",
                  "image": "i"
                }
              ]
            }
          }
        }
      }
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "spec": {
      "scaleTargetRef": {
        "kind": "Deployment",
        "name": "d",
        "apiVersion": "apps/v1"
      },
      "maxReplicas": 3
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "spec": {
      "minAvailable": 1,
      "selector": {
        "matchLabels": {
          "budget": "z"
        }
      }
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "addressType": "IPv4",
    "endpoints": [
      {
        "addresses": [
          "10.1.2.3"
        ]
      }
    ],
    "ports": [
      {
        "port": 80
      }
    ],
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "spec": {
      "defaultBackend": {
        "service": {
          "name": "s",
          "port": {
            "number": 80
          }
        }
      }
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "spec": {
      "podSelector": {}
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "spec": {
      "controller": "a.b/c"
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "rules": [
      {
        "verbs": [
          "get"
        ],
        "apiGroups": [
          ""
        ],
        "resources": [
          "pods"
        ]
      }
    ],
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "roleRef": {
      "kind": "Role",
      "name": "r",
      "apiGroup": "rbac.authorization.k8s.io"
    },
    "subjects": [
      {
        "kind": "User",
        "name": "u"
      }
    ],
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "rules": [
      {
        "verbs": [
          "get"
        ],
        "apiGroups": [
          ""
        ],
        "resources": [
          "pods"
        ]
      }
    ],
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "roleRef": {
      "kind": "ClusterRole",
      "name": "r",
      "apiGroup": "rbac.authorization.k8s.io"
    },
    "subjects": [
      {
        "kind": "User",
        "name": "u"
      }
    ],
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "spec": {
      "holderIdentity": "a",
      "leaseDurationSeconds": 5
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "scheduling.k8s.io/v1",
    "kind": "PriorityClass",
    "value": 5,
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "handler": "h",
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "provisioner": "a.b/c",
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "CSIDriver",
    "spec": {},
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "CSINode",
    "spec": {
      "drivers": []
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "VolumeAttachment",
    "spec": {
      "attacher": "a.b",
      "nodeName": "n",
      "source": {
        "persistentVolumeName": "v"
      }
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "CSIStorageCapacity",
    "storageClassName": "s",
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "certificates.k8s.io/v1",
    "kind": "CertificateSigningRequest",
    "spec": {
      "request": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlJQ2JqQ0NBVllDQVFBd0tURVhNQlVHQTFVRUNnd09jM2x6ZEdWdE9tMWhjM1JsY25NeERqQU1CZ05WQkFNTQpCV0ZrYldsdU1JSUJJakFOQmdrcWhraUc5dzBCQVFFRkFBT0NBUThBTUlJQkNnS0NBUUVBc2tNVUFSemtNSmlOClJQdUhXaUJPeEJZNjAvbStVRlJxc1hLNlFlY0VhcXFDRHpZbERUYkJKSk1SSFlRaFQrRG5NWjFLOVJYYlhQOE8KaVlubE04bEd5VTIwZi9qemI5cGdFSEVaTlJqQlczV0pYN1J3L1Z5K0t6WWU0Rk1tUEw0T1FiM0x5bE1EYW5NMgpCZVZvMzdnWEw4bTNTdzlXZVl6S2x5TnV0eHBPcXozNGJWR1FrVnV0bW9BSzVoenluME9NRnNweCsvU0VxY0VpCjF1S201cGJWTkNQV2ZFdkxkTFVVMFBLZkt4aVdPdU80bi9xWG9YNDAxWWJ2T0MwT0l6b0FneHh5bzdKaEFFanUKN25SNEZiNUVVWFhRbkJMeHBiUlh0alp3YVY2WkFhNEF1OGRTSDZrODZTMVpGa2E3STBNUXdZQmZPdnp0N2ZHcQptdDVXQkI4QnV3SURBUUFCb0FBd0RRWUpLb1pJaHZjTkFRRUxCUUFEZ2dFQkFJM0xhWXhBdkNaK2JtOW9FQUp5CkV1WUt0L0pKWlpVN3k4cmY4aDdkY0xYQmpUUkJCcVdnZnpVNVFCR28yaFRpQ3RyQWtlZnd6SEFzUHlsUUkzbjEKdW94a3cxK0szWkxVQW1qQjhKOEMyVVNFdEgyeVl3VHdMQ3FMQVVseHJuWFVmWDNDMzJ1cWZyeXpqZU02dmRTSApTVlkvS0RsU0NsN2NOeVNvdDZvZ2NnV1pKNE40QTNUcW0zOU9CdFliRTFGUllHajhJeGMvV3pTZXAzSGFiTTdMClA3YkJjcUVnZkFMZFpZYU03WjZDUHFGSHp2Yk9KK3NBVUQxcFVOcjJZZDdscFFPYTlmRmdhalB4MzhjRUZxaloKdGd6bHpTaythUERnd21FWTBYZno2eHZoY09BWmdMcTJua0tMUy9MemdUUzdkem02bmlkWUhlUHY5MG9aZWdFZwowN2c9Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=",
      "signerName": "a.b/c",
      "usages": [
        "digital signature"
      ]
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "MutatingWebhookConfiguration",
    "webhooks": [
      {
        "name": "a.b.c",
        "clientConfig": {
          "url": "https://127.0.0.1:1/"
        },
        "sideEffects": "None",
        "admissionReviewVersions": [
          "v1"
        ],
        "rules": [
          {
            "operations": [
              "CREATE"
            ],
            "apiGroups": [
              "none.x"
            ],
            "apiVersions": [
              "v1"
            ],
            "resources": [
              "nones"
            ]
          }
        ]
      }
    ],
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "webhooks": [
      {
        "name": "a.b.c",
        "clientConfig": {
          "url": "https://127.0.0.1:1/"
        },
        "sideEffects": "None",
        "admissionReviewVersions": [
          "v1"
        ],
        "rules": [
          {
            "operations": [
              "CREATE"
            ],
            "apiGroups": [
              "none.x"
            ],
            "apiVersions": [
              "v1"
            ],
            "resources": [
              "nones"
            ]
          }
        ]
      }
    ],
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "spec": {
      "matchConstraints": {
        "resourceRules": [
          {
            "operations": [
              "CREATE"
            ],
            "apiGroups": [
              "none.x"
            ],
            "apiVersions": [
              "v1"
            ],
            "resources": [
              "nones"
            ]
          }
        ]
      },
      "validations": [
        {
          "expression": "true"
        }
      ]
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "spec": {
      "policyName": "p",
      "validationActions": [
        "Deny"
      ]
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "MutatingAdmissionPolicyBinding",
    "spec": {
      "policyName": "p"
    },
    "metadata": {
      "name": "n1"
    }
  },
  {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "spec": {
      "group": "ex.com",
      "names": {
        "plural": "w1s",
        "kind": "W1"
      },
      "scope": "Namespaced",
      "versions": [
        {
          "name": "v1",
          "served": true,
          "storage": true,
          "schema": {
            "openAPIV3Schema": {
              "type": "object"
            }
          }
        }
      ]
    },
    "metadata": {
      "name": "w1s.ex.com"
    }
  }
];

