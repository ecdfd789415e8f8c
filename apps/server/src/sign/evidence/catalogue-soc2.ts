/** SOC 2, common criteria of the AICPA's trust services criteria (2017, points of focus of 2022). */
export const soc2 = `
CC1.1 | People act with integrity and hold to the values that the organisation set
CC1.2 | The board is independent of management and oversees internal control
CC1.3 | Structures, reporting lines and authorities are set
CC1.4 | Competent people are found, trained and kept
CC1.5 | People answer for their part in internal control | operators
CC2.1 | Good information is made and used to run internal control | receipts
CC2.2 | Objectives and duties of control are told inside
CC2.3 | What matters to control is told to parties outside
CC3.1 | Objectives are clear enough to find their risks
CC3.2 | Risks to the objectives are found and analysed
CC3.3 | The chance of fraud is part of the assessment of risk
CC3.4 | Changes that matter to internal control are found and judged | changes
CC4.1 | Controls are evaluated, as they run or apart | exports
CC4.2 | Shortcomings are judged and told in time
CC5.1 | Controls that lower risks are chosen and built | decisions
CC5.2 | General controls over technology are chosen and built | decisions
CC5.3 | Policies say what is expected, and procedures put them to work | policies
CC6.1 | Logical access is limited by software, infrastructure and architecture | decisions
CC6.2 | Users are registered before they get credentials, and lose them when access ends
CC6.3 | Access follows roles and least privilege, with duties kept apart | approvals
CC6.4 | Physical access to places and media is limited
CC6.5 | Protection of assets ends only once their data cannot be recovered | erasure
CC6.6 | Access from outside the boundary is guarded against | denials
CC6.7 | Data is protected while it is moved, sent or removed | outbound
CC6.8 | Unauthorised or malicious software is prevented and found | tools
CC7.1 | Changes of configuration and new weaknesses are found | changes
CC7.2 | Components are watched for what is out of the ordinary | denials
CC7.3 | Security events are judged for whether they are incidents | denials
CC7.4 | Incidents are responded to by a set programme | operators
CC7.5 | Recovery from incidents is prepared and carried out | operators
CC8.1 | Changes are authorised, designed, tested, approved and put in force | policies
CC9.1 | Disruptions of the business are prepared for
CC9.2 | Risks of vendors and partners are managed
`;
