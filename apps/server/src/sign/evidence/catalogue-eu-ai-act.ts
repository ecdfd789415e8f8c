/** Regulation (EU) 2024/1689, articles on high-risk systems that records of operation can speak to. */
export const euAiAct = `
Art.9 | Risk management: risks of the system are found, judged and met over its life | denials
Art.12 | Record-keeping: events are recorded automatically over the life of the system | receipts
Art.13 | Transparency: deployers can understand and use what the system gives | decisions
Art.14 | Human oversight: people can oversee, intervene in and stop the system | oversight
Art.15 | Accuracy, robustness and cybersecurity hold at a fitting level | outcomes
Art.17 | Quality management: policies, procedures and instructions are written and followed | policies
Art.19 | Automatically generated logs are kept by the provider for as long as required | receipts
Art.26 | Deployers use the system as instructed, oversee it, watch it and keep its logs | agents
Art.72 | Post-market monitoring: data on performance is collected and analysed | outcomes
`;
